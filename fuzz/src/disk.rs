//! A disk in memory: a fuzz target opens thousands a second, and nothing of one is left for the next.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger::disk::{Disk, DiskFile};

/// Files by name.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<String, Content>>>);

/// A file, open or not.
#[derive(Debug, Clone, Default)]
struct Content(Arc<Mutex<Vec<u8>>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn small(n: u64) -> usize {
    usize::try_from(n).expect("offsets of small files are small")
}

impl Memory {
    /// Puts a file there.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        lock(&self.0).insert(name.to_owned(), Content(Arc::new(Mutex::new(bytes))));
    }
    /// All files.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        lock(&self.0).iter().map(|(name, content)| (name.clone(), lock(&content.0).clone())).collect()
    }
    /// The same files on a disk of their own.
    pub fn copy(&self) -> Memory {
        let copy = Memory::default();
        self.files().into_iter().for_each(|(name, bytes)| copy.put(&name, bytes));
        copy
    }
}

impl Disk for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).keys().cloned().collect())
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let content = Content::default();
        lock(&self.0).insert(name.to_owned(), content.clone());
        Ok(Box::new(content))
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let content = lock(&self.0).get(name).cloned();
        content.map(|c| Box::new(c) as Box<dyn DiskFile>).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = lock(&self.0);
        let content = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), content);
        Ok(())
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.0).remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

impl DiskFile for Content {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.0).len() as u64)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = lock(&self.0);
        let from = small(offset.min(bytes.len() as u64));
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }
    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        let (mut bytes, at) = (lock(&self.0), small(offset));
        let end = bytes.len().max(at + new.len());
        bytes.resize(end, 0);
        bytes[at..at + new.len()].copy_from_slice(new);
        Ok(())
    }
    fn reserve(&self, size: u64) -> io::Result<()> {
        let mut bytes = lock(&self.0);
        let size = small(size).max(bytes.len());
        bytes.resize(size, 0);
        Ok(())
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        lock(&self.0).resize(small(size), 0);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
