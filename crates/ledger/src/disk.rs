//! Where the engine keeps its files: the seam between it and the operating system.
//!
//! [`Directory`] is the real thing. Tests put a simulated disk here that tears, loses, reorders and rots, so
//! the contract below promises no more than a POSIX file system does: what was written is certain only after
//! [`DiskFile::sync`], and what a name stands for only after [`Disk::sync_names`].

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A flat directory of files.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// The names there are, in any order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new empty file of this name; what had the name before is gone.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// The file of this name, for reading and writing.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name, in place of what had it before.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. Who has it open may go on reading it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Returns once every create, rename and remove before it would survive a crash.
    fn sync_names(&self) -> io::Result<()>;
    /// What to call a file in messages to people.
    fn path(&self, name: &str) -> PathBuf;
}

/// An open file. Positions are given with each call, so that readers need no lock.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Reads at most `buffer.len()` bytes, perhaps fewer; none only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes`. After an error any part of them may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the file `size` long at least, with room on the disk for all of it; new bytes are zero.
    /// Later writes within `size` do not run out of room.
    fn reserve(&self, size: u64) -> io::Result<()>;
    /// Makes the file exactly `size` long; new bytes are zero.
    fn set_size(&self, size: u64) -> io::Result<()>;
    /// Returns once every write before it would survive a crash. After an error nothing is known of
    /// them, and asking again proves nothing.
    fn sync(&self) -> io::Result<()>;

    /// Fills the whole buffer, or fails with [`io::ErrorKind::UnexpectedEof`].
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => {
                    buffer = &mut buffer[n..];
                    offset += n as u64;
                }
            }
        }
        Ok(())
    }
}

/// A directory of this machine.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// The directory at `path`, which must exist.
    pub fn new(path: &Path) -> Directory {
        Directory(path.to_owned())
    }
}

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            // A name that is not text is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(self.path(name))?;
        Ok(Box::new(file))
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(name))?;
        // Records and pages are read here and there: what lies around them would only fill the system's cache.
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random);
        Ok(Box::new(file))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }
    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match FileExt::read_at(self, buffer, offset) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }
    fn reserve(&self, size: u64) -> io::Result<()> {
        let reserve = || rustix::fs::fallocate(self, rustix::fs::FallocateFlags::empty(), 0, size);
        match rustix::io::retry_on_intr(reserve) {
            // A file system that cannot reserve can still be written to.
            Err(rustix::io::Errno::OPNOTSUPP) if DiskFile::size(self)? < size => self.set_len(size),
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            other => Ok(other?),
        }
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
