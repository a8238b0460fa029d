//! Signs of life: interface `heartbeat` of `wit/task.wit`.

/// Tells the host that the task is alive, for states with `HeartbeatSeconds`. In a native build: does nothing.
pub fn heartbeat() {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::stepwell::task::heartbeat::beat();
}
