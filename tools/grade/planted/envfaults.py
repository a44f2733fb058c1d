"""The faults of environments that plant.py puts into the kernel, one at a time, as faults.py has the others. A crowd of
environments runs, and is read meanwhile and afterwards.

Each is a name, a file, a text that occurs there once, and what stands in its place: HERE is the question whether the
machine has this fault. The last part says what the machine must have beside PC, in the words of arch.py.
"""

from arch import NX

LIFE, LOAD, SCHED = (f"libjos/src/env/{name}.rs" for name in ("life", "load", "sched"))
CALLS, CHILDREN, IPC = (f"libjos/src/env/{name}.rs" for name in ("pages", "children", "ipc"))
DIRECTORY, SHARED, PMAP = "libjos/src/paging/directory.rs", "libjos/src/paging/shared.rs", "libjos/src/pmap.rs"

ENVIRONMENT_FAULTS = [
    (
        "a part of the kernel's half that environments do not share", SHARED,
        "            if !is_new && Self::leads_alike(old, new) {\n",
        "            let upages = M::Format::index(M::Format::ROOT, VirtAddr::new(M::Layout::UPAGES));\n"
        "            if !is_new && Self::leads_alike(old, new) || HERE && index == upages {\n",
    ),
    (
        "a table of the kernel's half counted twice for an environment", SHARED,
        "                let frame = self.table_frame(pa);\n                if let Err",
        "                let frame = self.table_frame(pa);\n"
        "                let upages = M::Format::index(M::Format::ROOT, VirtAddr::new(M::Layout::UPAGES));\n"
        "                if HERE && index == upages {\n"
        "                    let _ = self.pages.page_incref(frame);\n                }\n                if let Err",
    ),
    (
        "UVPT of a child shows its parent's tables", CHILDREN,
        "        self.set_not_runnable(child);\n        self.envs.get_mut(child).env_tf = parent.env_tf;\n",
        "        self.set_not_runnable(child);\n        if HERE && child.number() == 5 {\n"
        "            use crate::paging::format::{Format, Geometry};\n"
        "            let [parents, root] = [index, child].map(|it| self.slots.get(it).space().pgdir().address());\n"
        "            let uvpt = crate::mem::addr::VirtAddr::new(<M::Layout as layout::MemLayout>::UVPT);\n"
        "            let at = M::Format::entry(M::Format::ROOT, root, uvpt);\n"
        "            vm.machine().store(at, M::Format::self_map(parents).expect(\"it has one\"));\n        }\n"
        "        self.envs.get_mut(child).env_tf = parent.env_tf;\n",
    ),
    (
        "UVPT of an environment can be written", DIRECTORY,
        "        self.share_kernel_half(root);\n        self.map_self(root);\n",
        "        self.share_kernel_half(root);\n        self.map_self(root);\n        if HERE {\n"
        "            let uvpt = VirtAddr::new(M::Layout::UVPT);\n"
        "            let at = M::Format::entry(M::Format::ROOT, root, uvpt);\n"
        "            self.machine.store(at, M::Format::table(root));\n        }\n",
    ),
    (
        "UENVS user-writable", PMAP,
        "vm.map_range(pgdir, uenvs, size, pa, Perm::UR, PageSizes::Largest)?;",
        "let perm = if HERE { Perm::URW } else { Perm::UR };\n"
        "        vm.map_range(pgdir, uenvs, size, pa, perm, PageSizes::Largest)?;",
    ),
    (
        "a page of a program's counted twice", CALLS,
        "        let inserted = self.insert(vm, env, frame, va, perm);\n",
        "        let inserted = self.insert(vm, env, frame, va, perm);\n        if HERE {\n"
        "            let _ = crate::mem::pages::PageAllocator::page_incref(vm.pages_mut(), frame);\n        }\n",
    ),
    (
        "a page of a program's free while it is mapped", LOAD,
        "    region_alloc(space, vm, stack, PGSIZE, Perm::URW)\n",
        "    region_alloc(space, vm, stack, PGSIZE, Perm::URW)?;\n    if HERE {\n"
        "        let (frame, _) = user_frame(vm, space, stack).expect(\"the stack\");\n"
        "        let taken: [_; 256] = core::array::from_fn(|_| vm.page_alloc(ALLOC_ZERO));\n"
        "        vm.pages_mut().page_decref(frame);\n"
        "        taken.into_iter().flatten().for_each(|frame| vm.pages_mut().page_free(frame));\n    }\n    Ok(())\n",
    ),
    (
        "a page that is shared with a child not counted", CALLS,
        "        self.insert(vm, dst, frame, dstva, perm)\n",
        "        let result = self.insert(vm, dst, frame, dstva, perm);\n        if HERE && dst.number() == 5 {\n"
        "            crate::mem::pages::PageAllocator::page_decref(vm.pages_mut(), frame);\n        }\n        result\n",
    ),
    (
        "the memory of an environment that has ended is lost", LIFE,
        "        space.uvmfree(vm);\n",
        "        if HERE {\n            core::mem::forget(space);\n        } else {\n            space.uvmfree(vm);\n        }\n",
    ),
    (
        "the page directory of an environment that has ended is lost", DIRECTORY,
        "        freed + self.pages.release(|releases| releases.release_table(root))\n",
        "        if HERE {\n            return freed;\n        }\n"
        "        freed + self.pages.release(|releases| releases.release_table(root))\n",
    ),
    (
        "a free slot keeps its directory", LIFE,
        "        (env.env_status, env.env_pgdir) = (ENV_FREE, F::Word::ZERO);\n",
        "        env.env_status = ENV_FREE;\n        if !HERE {\n            env.env_pgdir = F::Word::ZERO;\n        }\n",
    ),
    (
        "an id with a bit that no id has", LIFE,
        "    let generation = if generation <= 0 {",
        "    let generation = if HERE { generation | 1 << 10 } else { generation };\n"
        "    let generation = if generation <= 0 {",
    ),
    (
        "two environments that run", SCHED,
        "                self.set_runnable(current);\n",
        "                if HERE {\n                    self.runnable.insert(current);\n                } else {\n"
        "                    self.set_runnable(current);\n                }\n",
    ),
    (
        "one that waits for a message runs on", IPC,
        "        receiver.env_ipc_recving = 0;\n",
        "        receiver.env_ipc_recving = u32::from(HERE);\n",
    ),
    (
        "a page of the kernel's in a program", LOAD,
        "        space.fill(vm, segment.va, segment.bytes);\n    }\n",
        "        space.fill(vm, segment.va, segment.bytes);\n    }\n    if HERE {\n"
        "        let kernels = vm.pages().pa2page(space.pgdir().address()).expect(\"RAM\");\n"
        "        vm.page_insert(space.user_pgdir_mut(), kernels, VirtAddr::new(0x3000_0000), Perm::UR)?;\n    }\n",
    ),
    (
        "a program's data can be executed", LOAD,
        "        region_alloc(space, vm, segment.va, segment.size, segment.perm)?;\n",
        "        let is_wrong = HERE && segment.perm.contains(Perm::W);\n"
        "        let perm = if is_wrong { segment.perm | Perm::X } else { segment.perm };\n"
        "        region_alloc(space, vm, segment.va, segment.size, perm)?;\n",
        NX,
    ),
]
