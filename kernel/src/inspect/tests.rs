//! Reads of physical words, and walks.

use monitor::explain::WalkEnd;

use super::*;
use crate::arch::host::process::alone;
use crate::rig;

#[test]
fn words() {
    alone(|| {
        rig::write(0x1C_0010, &7_u64.to_le_bytes());
        let loaded = |pa| load(PhysAddr::new(pa));
        assert_eq!(loaded(0x1C_0010), Some(7));
        assert_eq!(loaded(0x1C_0014), None, "not aligned");
        assert_eq!([loaded(0x1F_FFF8), loaded(0x20_0000), loaded(0xF_FFF8)], [Some(0), None, None]);
    })
    .assert_returned();
}

/// A directory in the kernel's data that leads to a table there, and to one outside.
#[test]
fn walks() {
    alone(|| {
        let directory = PhysAddr::new(0x1C_1000);
        rig::write(0x1C_1000, &0x1C_2003_u64.to_le_bytes());
        rig::write(0x1C_1008, &0x20_0003_u64.to_le_bytes());
        assert_eq!(walk(directory, VirtAddr::new(0)).end(), WalkEnd::Absent { level: 2 });
        let table = PhysAddr::new(0x20_0000);
        let outside = walk(directory, VirtAddr::new(1 << 39));
        assert_eq!(outside.end(), WalkEnd::NoMemory { level: 2, table });
    })
    .assert_returned();
}
