//! Where things are: the runs folder and the program's files. Flag over environment over what is found.

mod file;
mod state;

pub use file::{Entry, Problem, SettingsFile};
pub use state::{RunTable, State};

use std::path::{Path, PathBuf};

/// Environment variable that names the runs folder.
pub const RUNS_VARIABLE: &str = "EIGENSCOPE_RUNS";
/// Subfolder for exported figures and data.
pub const EXPORTS: &str = "exports";
/// The settings, in the XDG configuration folder.
pub const SETTINGS_FILE: &str = "config.toml";
/// Subfolder for launches saved as TOML.
pub const SPECS: &str = "specs";
/// The program's own log: never on the screen.
pub const LOG_FILE: &str = "eigenscope.log";

/// The runs folder: `--runs DIR`, then the environment, then `./runs` where it exists, then the XDG data folder.
pub fn runs_folder(flag: Option<&Path>) -> PathBuf {
    let from_environment = std::env::var_os(RUNS_VARIABLE).filter(|v| !v.is_empty());
    choose(flag, from_environment.map(PathBuf::from), Path::new("runs"), data_home())
}

/// Sends the program's diagnostics to a file in the runs folder; the screen is never written to. A second call changes nothing.
pub fn start_log(runs: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(runs)?;
    let file = std::fs::File::options().create(true).append(true).open(runs.join(LOG_FILE))?;
    // An error here only says that a log was started before.
    let _ = tracing_subscriber::fmt().with_ansi(false).with_writer(file).try_init();
    Ok(())
}

/// The settings file in the XDG configuration folder; it need not exist.
pub fn settings_path() -> PathBuf {
    use etcetera::AppStrategy;
    strategy().map_or_else(|| PathBuf::from(".eigenscope"), |xdg| xdg.config_dir()).join(SETTINGS_FILE)
}

/// Folder of what can be made again: compiled kernels and the like.
pub fn cache_folder() -> PathBuf {
    use etcetera::AppStrategy;
    strategy().map_or_else(|| std::env::temp_dir().join("eigenscope"), |xdg| xdg.cache_dir())
}

/// File of what the terminal program remembers between two starts; `None` without a home.
pub fn state_file() -> Option<PathBuf> {
    use etcetera::AppStrategy;
    strategy().and_then(|xdg| xdg.in_state_dir("state.toml"))
}

fn choose(flag: Option<&Path>, environment: Option<PathBuf>, local: &Path, data_home: PathBuf) -> PathBuf {
    if let Some(folder) = flag {
        return folder.to_path_buf();
    }
    environment.unwrap_or_else(|| if local.is_dir() { local.to_path_buf() } else { data_home.join("runs") })
}

fn data_home() -> PathBuf {
    use etcetera::AppStrategy;
    strategy().map_or_else(|| PathBuf::from(".eigenscope"), |xdg| xdg.data_dir())
}

/// XDG's folders on every system; `None` without a home.
fn strategy() -> Option<etcetera::app_strategy::Xdg> {
    let names = etcetera::AppStrategyArgs {
        top_level_domain: "org".into(),
        author: String::new(),
        app_name: "eigenscope".into(),
    };
    etcetera::app_strategy::Xdg::new(names).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_then_the_environment_then_a_local_folder() {
        let here = std::env::temp_dir();
        let absent = here.join("eigenscope-no-such-folder");
        let home = PathBuf::from("/home/data");
        let flag = Path::new("/flag");
        assert_eq!(choose(Some(flag), Some("/env".into()), &here, home.clone()), flag);
        assert_eq!(choose(None, Some("/env".into()), &here, home.clone()), Path::new("/env"));
        assert_eq!(choose(None, None, &here, home.clone()), here);
        assert_eq!(choose(None, None, &absent, home), Path::new("/home/data/runs"));
    }
}
