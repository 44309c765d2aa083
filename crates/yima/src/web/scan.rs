//! What of a built web front end goes into the binary: every file with its content type, its tag, and its compressed
//! siblings. The build script and the tests read it; it must never change a file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A file of the front end.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Below the root, `assets/index-1a2b.js`.
    pub path: String,
    pub kind: &'static str,
    /// An entity tag, weak: it stands for all encodings of the file alike.
    pub etag: String,
    pub file: PathBuf,
    /// What the web build left beside it.
    pub gzip: Option<PathBuf>,
    pub brotli: Option<PathBuf>,
}

/// Content type by extension. A file of another kind is refused: it would be served wrongly.
const KINDS: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("map", "application/json"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff2", "font/woff2"),
];

fn kind(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    KINDS.iter().find(|(known, _)| *known == extension).map(|(_, kind)| *kind)
}

/// The files of `dist` in order of path. None where there is no `index.html`: then nothing was built.
pub fn scan(dist: &Path) -> io::Result<Vec<Found>> {
    if !dist.join("index.html").is_file() {
        return Ok(Vec::new());
    }
    let mut paths = BTreeSet::new();
    walk(dist, "", &mut paths)?;
    let mut found = Vec::new();
    for path in &paths {
        let original = path.strip_suffix(".gz").or_else(|| path.strip_suffix(".br"));
        if original.is_some_and(|original| paths.contains(original)) {
            continue;
        }
        let kind = kind(path).ok_or_else(|| {
            io::Error::other(format!("{}: what content type is it?", dist.join(path).display()))
        })?;
        let file = dist.join(path);
        let mut hash = DefaultHasher::new();
        hash.write(&fs::read(&file)?);
        let sibling = |end: &str| {
            let name = format!("{path}.{end}");
            paths.contains(&name).then(|| dist.join(name))
        };
        let (gzip, brotli) = (sibling("gz"), sibling("br"));
        let etag = format!("W/\"{:016x}\"", hash.finish());
        found.push(Found { path: path.clone(), kind, etag, file, gzip, brotli });
    }
    Ok(found)
}

fn walk(dir: &Path, below: &str, paths: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|name| io::Error::other(format!("{}: no UTF-8", name.display())))?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{below}{name}/"), paths)?;
        } else if !name.starts_with('.') {
            paths.insert(format!("{below}{name}"));
        }
    }
    Ok(())
}

/// The table as Rust: a slice of `File` that includes the bytes.
pub fn source(found: &[Found]) -> String {
    let include = |path: &Path| format!("include_bytes!({:?})", path.display().to_string());
    let maybe = |path: &Option<PathBuf>| match path {
        Some(path) => format!("Some({})", include(path)),
        None => "None".to_owned(),
    };
    let mut text = "&[\n".to_owned();
    for f in found {
        let (plain, gzip, brotli) = (include(&f.file), maybe(&f.gzip), maybe(&f.brotli));
        let _ = writeln!(
            text,
            "File {{ path: {:?}, kind: {:?}, etag: {:?}, plain: {plain}, gzip: {gzip}, brotli: {brotli} }},",
            f.path, f.kind, f.etag
        );
    }
    text + "]\n"
}
