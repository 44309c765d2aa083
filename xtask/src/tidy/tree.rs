//! The project's own text files as the rules see them: what git tracks and what is new, never what
//! it ignores. A tree can also be made from literals, so that every rule is tested without a disk.

use std::path::Path;
use std::process::Command;

use super::source::Source;

/// Files larger than this are data, not text that somebody wrote.
const TEXT_MAX: u64 = 2 << 20;

/// One file.
#[derive(Debug)]
pub struct File {
    /// From the root of the repository, with `/`.
    pub path: String,
    pub text: String,
    /// Present for Rust.
    pub source: Option<Source>,
}

/// All files, in the order of their paths.
#[derive(Debug, Default)]
pub struct Tree {
    pub files: Vec<File>,
}

impl File {
    pub fn new(path: &str, text: &str) -> File {
        let source = has_extension(path, &["rs"]).then(|| Source::read(text));
        File { path: path.to_owned(), text: text.to_owned(), source }
    }

    /// `bill` for `crates/bill/…`; `xtask` for `xtask/…`.
    pub fn krate(&self) -> Option<&str> {
        let mut parts = self.path.split('/');
        match parts.next()? {
            "crates" => parts.next(),
            "xtask" => Some("xtask"),
            _ => None,
        }
    }

    /// Whether the whole file is test code: in a `tests` or `benches` folder, or named `…tests.rs`.
    pub fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "benches")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
    }

    /// Whether it is `NAME.rs` or lies in a module folder `NAME/`.
    pub fn is_module(&self, name: &str) -> bool {
        let mut parts = self.path.rsplit('/');
        let file = parts.next().unwrap_or_default();
        file.strip_suffix(".rs") == Some(name) || parts.any(|part| part == name)
    }

    /// The slice of the city that it belongs to: a folder of `crates/city/src`.
    pub fn slice(&self) -> Option<&str> {
        let (slice, _) = self.path.strip_prefix("crates/city/src/")?.split_once('/')?;
        Some(slice)
    }

    /// The lines, each with its number counted from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }

    /// The number of the first line that contains `needle`; 1 if none does.
    pub fn line_of(&self, needle: &str) -> usize {
        self.lines().find(|(_, line)| line.contains(needle)).map_or(1, |(n, _)| n)
    }
}

impl Tree {
    /// Reads the repository at `root`.
    pub fn read(root: &Path) -> Result<Tree, String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|e| format!("git: {e} (tidy asks git which files are the project's)"))?;
        if !listed.status.success() {
            return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr).trim()));
        }
        let listed = String::from_utf8_lossy(&listed.stdout);
        let mut names: Vec<&str> = listed.split('\0').filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        let mut files = Vec::new();
        for name in names {
            let path = root.join(name);
            // Deleted but still in the index, a link, or too large: nothing to read.
            if !path.symlink_metadata().is_ok_and(|m| m.is_file() && m.len() <= TEXT_MAX) {
                continue;
            }
            let bytes = std::fs::read(&path).map_err(|e| format!("{name}: {e}"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(File::new(name, &text));
            }
        }
        Ok(Tree { files })
    }

    /// A tree of `(path, text)`.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Every Rust file with what is in it.
    pub fn rust(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|file| Some((file, file.source.as_ref()?)))
    }

    /// Every manifest of a member of the workspace.
    pub fn manifests(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with("/Cargo.toml") && file.krate().is_some())
    }
}

/// Whether the name of `path` ends with a point and one of `extensions`.
pub fn has_extension(path: &str, extensions: &[&str]) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
}
