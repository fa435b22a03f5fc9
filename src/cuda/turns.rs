//! Who may ask the driver for something while a step is recorded. What it does for one thread, such as loading a kernel at its
//! first launch or giving memory back, spoils the recording of another or fails itself, so engines that train side by side take
//! turns. Knows no launches.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held for writing by who records.
static RECORDING: RwLock<()> = RwLock::new(());

thread_local! {
    /// Turns that this thread holds.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A turn of the thread that took it.
struct Turn(PhantomData<*const ()>);

impl Turn {
    fn new() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self(PhantomData)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// While it lives nobody else records.
pub struct Apart {
    _turn: Turn,
    _shared: Option<RwLockReadGuard<'static, ()>>,
}

/// Waits until nobody else records. For everything that is asked of the driver but the launch of a recorded graph and the wait
/// for it. A thread that holds a turn or records does not wait again.
pub fn apart() -> Apart {
    let shared = (DEPTH.get() == 0).then(|| RECORDING.read().unwrap_or_else(PoisonError::into_inner));
    Apart { _turn: Turn::new(), _shared: shared }
}

/// While it lives nobody else asks for anything.
pub struct Alone {
    _turn: Turn,
    _all: RwLockWriteGuard<'static, ()>,
}

/// Waits for all others; not for a thread that is [`apart`], which would wait for itself.
pub fn alone() -> Alone {
    debug_assert_eq!(DEPTH.get(), 0, "recording within a turn");
    let all = RECORDING.write().unwrap_or_else(PoisonError::into_inner);
    Alone { _turn: Turn::new(), _all: all }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn nobody_asks_while_one_records() {
        let asking = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let asking = &asking;
                scope.spawn(move || {
                    for round in 0..200 {
                        if (round + thread) % 4 == 0 {
                            let _alone = alone();
                            // Its own questions are part of it.
                            let _own = apart();
                            assert_eq!(asking.load(Ordering::SeqCst), 0);
                        } else {
                            let _apart = apart();
                            let _again = apart();
                            asking.fetch_add(1, Ordering::SeqCst);
                            std::thread::yield_now();
                            asking.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
    }
}
