//! What the operating system is asked for so that keys in memory stay there.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// No core of this process is ever written, and no other process of this user may look into it. Asked
/// first of all; where it is refused the program goes on, as it would on a system that cannot do it.
pub(crate) fn keep_memory_private() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Keeps all memory, what is to come too, from being swapped out. Only if the limit on locked memory is
/// off: under a limit the first allocation beyond it would fail, and the service with it.
///
/// Says whether it could be done.
pub(crate) fn lock_memory() -> bool {
    getrlimit(Resource::Memlock).current.is_none()
        && mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok()
}
