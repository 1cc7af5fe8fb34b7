//! Builds and loads `cdylib.rs`.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, ffi::CString};

use crate::harness::Batch;
use crate::os;
use crate::systems::PLUGIN_CASES;

const EXAMPLE: &str = "versus_cdylib";

/// The shared library, or why there is none.
pub fn load() -> Result<Plugin, String> {
    let path = build().ok_or("cargo could not build the example versus_cdylib")?;
    let path = CString::new(path.into_os_string().into_encoded_bytes());
    let path = path.map_err(|error| error.to_string())?;
    os::load_plugin(&path).map(|run| Plugin { run }).ok_or("it could not be loaded".to_owned())
}

#[derive(Clone, Copy)]
pub struct Plugin {
    run: os::PluginRun,
}

impl Plugin {
    /// The loop of the system at this place in [`systems::all`](crate::systems::all).
    pub fn batch(self, case: &str, system: usize) -> Option<Batch> {
        let case = PLUGIN_CASES.iter().position(|it| *it == case)?;
        let run = self.run;
        run(case, system, 0).then(|| {
            Batch::looping(move |_, iterations| {
                run(case, system, iterations);
            })
        })
    }
}

/// Cargo has let go of its lock by the time it runs a bench, so it can be asked again.
fn build() -> Option<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--profile", "bench", "--example", EXAMPLE]).stdin(Stdio::null());
    if !command.status().ok()?.success() {
        return None;
    }
    // The bench is `<target>/release/deps/versus-..`.
    let profile = env::current_exe().ok()?.parent()?.parent()?.to_owned();
    Some(profile.join("examples").join(format!("lib{EXAMPLE}.so")))
}
