//! Plain answers to lab 3, in JOS's manner: the body of each function answers the exercise of its name.

fn env_init() {
    let mut free = None;
    for index in EnvIndex::all().rev() {
        slots.get_mut(index).link(free);
        free = Some(index);
    }
    free
}

fn env_setup_vm() {
    let va = VirtAddr::new(M::Layout::UENVS);
    let frame = self.page_alloc(ALLOC_ZERO).ok_or(MapError::NoMemory { va })?;
    self.pages.page_incref(frame)?;
    let root = self.pages.page2pa(frame);
    // Not UVPT's entry, by which kern_pgdir shows its own tables.
    let uvpt = M::Format::index(M::Format::ROOT, VirtAddr::new(M::Layout::UVPT));
    for index in (Self::first_shared_slot()..M::Format::ENTRIES).filter(|index| *index != uvpt) {
        let entry = self.machine.load(M::Format::slot(self.kern_root, index));
        if let Entry::Table { pa, .. } = M::Format::decode(M::Format::ROOT, entry) {
            self.pages.page_incref(self.table_frame(pa))?;
        }
        self.machine.store(M::Format::slot(root, index), entry);
    }
    self.map_self(root);
    Ok(Pgdir::new(root))
}

fn region_alloc() {
    for page in (va.page_start().as_u64()..va.as_u64() + size).step_by(PGSIZE as usize) {
        let page = VirtAddr::new(page);
        if let Some((frame, old)) = user_frame(vm, space, page) {
            vm.page_insert(space.user_pgdir_mut(), frame, page, old | perm)?;
            continue;
        }
        let frame = vm.page_alloc(ALLOC_ZERO).ok_or(MapError::NoMemory { va: page })?;
        let inserted = vm.page_insert(space.user_pgdir_mut(), frame, page, perm);
        inserted.inspect_err(|_| vm.pages_mut().page_free(frame))?;
    }
    Ok(())
}

fn load_icode() {
    for segment in program.segments() {
        region_alloc(space, vm, segment.va, segment.size, segment.perm)?;
        space.fill(vm, segment.va, segment.bytes);
    }
    region_alloc(space, vm, stack, PGSIZE, Perm::URW)
}

fn env_create() {
    let index = self.env_alloc(vm, EnvId::NONE).map_err(|error| match error {
        Error::NoFreeEnv => LoadError::NoFreeEnv,
        _ => LoadError::NoMemory,
    })?;
    if load_icode(self.slots.get_mut(index).space_mut(), vm, program).is_err() {
        self.env_destroy(vm, index);
        return Err(LoadError::NoMemory);
    }
    self.set_frame(index, F::user(program.entry(), VirtAddr::new(M::Layout::USTACKTOP)));
    Ok(index)
}

fn env_run() {
    if self.curenv != Some(index) {
        if let Some(current) = self.stopped() {
            self.set_runnable(current);
        }
        (self.curenv, self.last) = (Some(index), index);
        self.envs.get_mut(index).env_runs += 1;
    }
    let env = self.envs.get_mut(index);
    match env.env_status {
        ENV_RUNNABLE | ENV_RUNNING => env.env_status = ENV_RUNNING,
        status => cannot_run(env.env_id, status),
    }
    if !vm.is_loaded(self.slots.get(index).space().pgdir().address()) {
        self.slots.get_mut(index).space_mut().switchuvm(vm);
    }
    self.frame(index)
}

fn user_access() {
    let end = if perm.contains(Perm::W) { M::Layout::UTOP } else { M::Layout::ULIM };
    let stop = vm.walk(space.pgdir().address(), va);
    match stop.entry {
        Entry::Leaf(leaf) if va.as_u64() < end && leaf.perm.contains(perm | Perm::UR) => {
            Some(leaf.pa + va.as_u64() % M::Format::page_size(stop.level))
        }
        _ => None,
    }
}

fn user_mem_check() {
    let space = self.slots.get(index).space();
    let (mut at, mut left) = (va, len);
    while left > 0 {
        user_access(vm, space, at, perm).ok_or(at)?;
        let done = left_in_page(at).min(left);
        (at, left) = (at + done, left - done);
    }
    Ok(())
}

fn syscall() {
    let result = match self.envs.get(index).env_tf.number() {
        call::CPUTS => self.sys_cputs(vm, console, index),
        call::CGETC => Ok(console.cgetc().map_or(0, i64::from)),
        call::GETENVID => Ok(i64::from(self.envs.get(index).env_id.0)),
        call::ENV_DESTROY => self.sys_env_destroy(vm, index),
        call::PAGE_ALLOC => self.sys_page_alloc(vm, index),
        call::PAGE_MAP => self.sys_page_map(vm, index),
        call::PAGE_UNMAP => self.sys_page_unmap(vm, index),
        call::EXOFORK => self.sys_exofork(vm, index),
        call::ENV_SET_STATUS => self.sys_env_set_status(index),
        call::ENV_SET_PGFAULT_UPCALL => self.sys_env_set_pgfault_upcall(index),
        call::YIELD => {
            self.set_result(index, Ok(0));
            return Some(self.sched_yield(vm));
        }
        call::IPC_TRY_SEND => self.sys_ipc_try_send(vm, index),
        call::IPC_RECV => self.sys_ipc_recv::<M>(index),
        _ => Err(Error::Inval),
    };
    self.set_result(index, result);
    if self.stopped() == Some(index) { None } else { Some(self.sched_yield(vm)) }
}

fn trap_dispatch() {
    match trap.cause {
        Cause::Syscall => return self.syscall(vm, console).unwrap_or(Next::Run(index)),
        Cause::PageFault { va } => self.page_fault_handler(vm, index, va, trap.incoming),
        Cause::Timer => return self.sched_yield(vm),
        Cause::Interrupt => {}
        Cause::Breakpoint | Cause::Exception => {
            say_incoming(vm, trap.incoming);
            self.print_trapframe(vm, index);
            if trap.cause == Cause::Breakpoint {
                return Next::Breakpoint(index);
            }
            self.env_destroy(vm, index);
        }
    }
    self.go_on(vm, index)
}

fn sched_yield() {
    for n in 1..=NENV {
        let index = EnvIndex::new((self.last.number() + n) % NENV);
        if self.envs.get(index).env_status == ENV_RUNNABLE {
            return Next::Run(index);
        }
    }
    if let Some(index) = self.stopped() {
        return Next::Run(index);
    }
    self.sched_halt(vm);
    Next::NoneRunnable
}

fn sys_exofork() {
    let parent = *self.envs.get(index);
    let child = self.env_alloc(vm, parent.env_id)?;
    self.set_not_runnable(child);
    self.envs.get_mut(child).env_tf = parent.env_tf;
    self.set_result(child, Ok(0));
    self.slots.get_mut(child).name = self.slots.get(index).name;
    Ok(i64::from(self.envs.get(child).env_id.0))
}

fn sys_page_alloc() {
    let env = self.envid2env(id(self.argument(index, 0)), true)?;
    let va = asked_page::<M>(self.argument(index, 1))?;
    let perm = asked_perm::<M>(self.argument(index, 2))?;
    let frame = vm.page_alloc(ALLOC_ZERO).ok_or(Error::NoMem)?;
    let inserted = self.insert(vm, env, frame, va, perm);
    inserted.inspect_err(|_| vm.pages_mut().page_free(frame))
}

fn sys_page_map() {
    let [src, srcva, dst, dstva, perm] = [0, 1, 2, 3, 4].map(|n| self.argument(index, n));
    let (src, dst) = (self.envid2env(id(src), true)?, self.envid2env(id(dst), true)?);
    let (srcva, dstva) = (asked_page::<M>(srcva)?, asked_page::<M>(dstva)?);
    let perm = asked_perm::<M>(perm)?;
    let page = user_frame(vm, self.slots.get(src).space(), srcva);
    let (frame, has) = page.filter(|(_, has)| has.contains(perm & Perm::W)).ok_or(Error::Inval)?;
    self.insert(vm, dst, frame, dstva, perm | has & Perm::X)
}

fn sys_page_unmap() {
    let env = self.envid2env(id(self.argument(index, 0)), true)?;
    let va = asked_page::<M>(self.argument(index, 1))?;
    let pgdir = self.slots.get_mut(env).space_mut().user_pgdir_mut();
    vm.page_remove(pgdir, va).map(|()| 0).map_err(|_| Error::Inval)
}

fn page_fault_handler() {
    let (top, sp) = (M::Layout::UXSTACKTOP, frame.sp().as_u64());
    let end = if (top - PGSIZE..top).contains(&sp) { sp - F::Word::BYTES } else { top };
    let size = size_of::<F::UTrapframe>() as u64;
    let at = VirtAddr::new(end - size);
    for (va, len, perm) in [(upcall, 1, Perm::UR), (at, size, Perm::URW)] {
        if let Err(va) = self.user_mem_check(vm, index, va, len, perm) {
            return self.user_mem_fault(vm, index, va);
        }
    }
    self.slots.get_mut(index).space_mut().fill(vm, at, frame.utrapframe(fault_va).bytes());
    self.envs.get_mut(index).env_tf.redirect(upcall, at);
}

fn sys_ipc_try_send() {
    let [to, value, srcva, asked] = [0, 1, 2, 3].map(|n| self.argument(index, n));
    let (to, from) = (self.envid2env(id(to), false)?, self.envs.get(index).env_id);
    if self.envs.get(to).env_ipc_recving == 0 {
        return Err(Error::IpcNotRecv);
    }
    let dstva = self.envs.get(to).env_ipc_dstva.to_u64();
    let mut given = 0;
    if srcva < M::Layout::UTOP {
        let (srcva, perm) = (asked_page::<M>(srcva)?, asked_perm::<M>(asked)?);
        let page = user_frame(vm, self.slots.get(index).space(), srcva);
        let page = page.filter(|(_, has)| has.contains(perm & Perm::W));
        let (frame, has) = page.ok_or(Error::Inval)?;
        if dstva < M::Layout::UTOP {
            self.insert(vm, to, frame, asked_page::<M>(dstva)?, perm | has & Perm::X)?;
            given = asked as u32;
        }
    }
    let receiver = self.envs.get_mut(to);
    receiver.env_ipc_recving = 0;
    receiver.env_ipc_from = from;
    receiver.env_ipc_value = F::Word::from_u64(value);
    receiver.env_ipc_perm = given;
    self.set_runnable(to);
    Ok(0)
}

fn sys_ipc_recv() {
    let dstva = self.argument(index, 0);
    if dstva < M::Layout::UTOP {
        asked_page::<M>(dstva)?;
    }
    let env = self.envs.get_mut(index);
    env.env_ipc_recving = 1;
    env.env_ipc_dstva = F::Word::from_u64(dstva);
    self.set_not_runnable(index);
    Ok(0)
}
