//! Sorted tables on disk: pages of 4 KiB, each with its own checksum.
//!
//! The building block of an index file. A table is written once, front to back, in order of its keys; in
//! memory it keeps the first key of each page, so that finding a key reads one page. Layout only: what the
//! keys mean is the index's business.

use std::path::Path;

use crate::disk::DiskFile;
use crate::fault::Fault;

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Bytes of a page before its checksum.
pub const PAYLOAD: usize = PAGE - 4;

/// One page, checksum included.
pub type Page = [u8; PAGE];

/// A row of a table: a key, and a value of fixed size.
pub trait Row: Copy + Ord {
    /// Bytes of a row.
    const SIZE: usize;
    /// What rows are ordered by first.
    fn key(&self) -> u64;
    /// Puts the row in `SIZE` bytes.
    fn encode(&self, out: &mut [u8]);
    /// Reads it back.
    fn decode(bytes: &[u8]) -> Self;
}

/// Where a table lies in its file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// The first of its pages.
    pub page: u32,
    /// How many pages.
    pub pages: u32,
    /// How many rows.
    pub rows: u64,
}

impl Extent {
    const SIZE: usize = 16;

    /// Puts it in 16 bytes.
    pub fn encode(&self, out: &mut [u8]) {
        out[..4].copy_from_slice(&self.page.to_le_bytes());
        out[4..8].copy_from_slice(&self.pages.to_le_bytes());
        out[8..Self::SIZE].copy_from_slice(&self.rows.to_le_bytes());
    }
    /// Reads it back.
    pub fn decode(b: &[u8]) -> Extent {
        Extent { page: le_u32(b, 0), pages: le_u32(b, 4), rows: le_u64(b, 8) }
    }
}

/// The little-endian integer at `at`.
///
/// # Panics
/// Like these all, if `b` ends before.
pub fn le_u32(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(b[at..at + 4].try_into().expect("four bytes"))
}
/// The little-endian integer at `at`.
pub fn le_u64(b: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(b[at..at + 8].try_into().expect("eight bytes"))
}
/// The little-endian integer at `at`.
pub fn le_u128(b: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(b[at..at + 16].try_into().expect("sixteen bytes"))
}

/// Reads page `number` and checks it.
pub fn read_page(file: &dyn DiskFile, path: &Path, number: u32) -> Result<Page, Fault> {
    let mut page = [0; PAGE];
    let offset = u64::from(number) * PAGE as u64;
    file.read_exact_at(&mut page, offset).map_err(|e| short(path, offset, e))?;
    check_page(&page, path, offset)?;
    Ok(page)
}

/// A file that ends before it should, or is gone, is damaged; other errors are the system's.
pub fn short(path: &Path, offset: u64, e: std::io::Error) -> Fault {
    let reason = match e.kind() {
        std::io::ErrorKind::UnexpectedEof => "the file ends too early",
        std::io::ErrorKind::NotFound => "the file is missing",
        _ => return Fault::Io(path.to_owned(), e),
    };
    Fault::Damaged { file: path.to_owned(), offset, reason }
}

fn check_page(page: &[u8], path: &Path, offset: u64) -> Result<(), Fault> {
    if crc32c::crc32c(&page[..PAYLOAD]) == le_u32(page, PAYLOAD) {
        return Ok(());
    }
    Err(Fault::Damaged { file: path.to_owned(), offset, reason: "a page fails its checksum" })
}

/// Writes pages one after another.
#[derive(Debug)]
pub struct PageWriter<'a> {
    file: &'a dyn DiskFile,
    path: &'a Path,
    buffer: Vec<u8>,
    /// The number of the first page in `buffer`.
    page: u32,
    /// Pages before this one were synced.
    synced: u32,
    pieces: bool,
}

/// What is written behind the scenes is synced in pieces: the journal's own syncs wait for all that the disk
/// has been given.
pub const SYNC_EVERY: u64 = 1 << 20;

const WRITE_AT_ONCE: usize = 64 * PAGE;

impl<'a> PageWriter<'a> {
    /// Begins at page `page`.
    pub fn new(file: &'a dyn DiskFile, path: &'a Path, page: u32) -> Self {
        PageWriter {
            file,
            path,
            buffer: Vec::with_capacity(WRITE_AT_ONCE),
            page,
            synced: page,
            pieces: false,
        }
    }
    /// From now on it is synced in pieces of [`SYNC_EVERY`].
    pub fn in_pieces(&mut self) {
        self.pieces = true;
    }
    /// The number of the page that is written next.
    pub fn next_page(&self) -> u32 {
        self.page + u32::try_from(self.buffer.len() / PAGE).expect("a buffer has few pages")
    }
    /// Writes one page; what `payload` leaves free is zero.
    pub fn page(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let at = self.buffer.len();
        self.buffer.extend_from_slice(payload);
        self.buffer.resize(at + PAYLOAD, 0);
        let crc = crc32c::crc32c(&self.buffer[at..]);
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        if self.buffer.len() >= WRITE_AT_ONCE { self.flush() } else { Ok(()) }
    }
    /// Hands to the file what is still held back.
    pub fn flush(&mut self) -> Result<(), Fault> {
        let offset = u64::from(self.page) * PAGE as u64;
        self.file.write_at(&self.buffer, offset).map_err(Fault::io(self.path))?;
        self.page = self.next_page();
        self.buffer.clear();
        if self.pieces && u64::from(self.page - self.synced) * PAGE as u64 >= SYNC_EVERY {
            self.synced = self.page;
            return self.file.sync().map_err(Fault::io(self.path));
        }
        Ok(())
    }
}

/// Writes one table.
#[derive(Debug)]
pub struct TableWriter {
    payload: Vec<u8>,
    extent: Extent,
    fences: Vec<u64>,
}

impl TableWriter {
    /// Begins a table at the next page of `pages`.
    pub fn new(pages: &PageWriter<'_>) -> Self {
        let extent = Extent { page: pages.next_page(), ..Extent::default() };
        TableWriter { payload: Vec::with_capacity(PAYLOAD), extent, fences: Vec::new() }
    }
    /// Adds a row; rows come in their order.
    pub fn push<R: Row>(&mut self, pages: &mut PageWriter<'_>, row: &R) -> Result<(), Fault> {
        if self.payload.len() + R::SIZE > PAYLOAD {
            self.end_page(pages)?;
        }
        if self.payload.is_empty() {
            self.fences.push(row.key());
        }
        let at = self.payload.len();
        self.payload.resize(at + R::SIZE, 0);
        row.encode(&mut self.payload[at..]);
        self.extent.rows += 1;
        Ok(())
    }
    fn end_page(&mut self, pages: &mut PageWriter<'_>) -> Result<(), Fault> {
        pages.page(&self.payload)?;
        self.payload.clear();
        self.extent.pages += 1;
        Ok(())
    }
    /// Ends the table.
    pub fn finish<R: Row>(mut self, pages: &mut PageWriter<'_>) -> Result<Table<R>, Fault> {
        if !self.payload.is_empty() {
            self.end_page(pages)?;
        }
        Ok(Table { extent: self.extent, fences: self.fences, row: std::marker::PhantomData })
    }
}

/// A table to read from. The file comes with each call.
#[derive(Debug)]
pub struct Table<R> {
    extent: Extent,
    fences: Vec<u64>,
    row: std::marker::PhantomData<R>,
}

impl<R: Row> Table<R> {
    /// How many rows a page holds.
    pub const PER_PAGE: usize = PAYLOAD / R::SIZE;

    /// A table that was written at `extent`, with the first keys of its pages; `None` if these disagree.
    pub fn open(extent: Extent, fences: Vec<u64>) -> Option<Table<R>> {
        let pages = extent.rows.div_ceil(Self::PER_PAGE as u64);
        let sound = pages == u64::from(extent.pages) && fences.len() as u64 == pages && fences.is_sorted();
        sound.then_some(Table { extent, fences, row: std::marker::PhantomData })
    }
    /// Where it lies.
    pub fn extent(&self) -> Extent {
        self.extent
    }
    /// The first key of each page.
    pub fn fences(&self) -> &[u64] {
        &self.fences
    }

    /// Its rows from the first with a key of `key` or more, in order.
    pub fn from<'a>(
        &'a self,
        file: &'a dyn DiskFile,
        path: &'a Path,
        key: u64,
    ) -> Result<Rows<'a, R>, Fault> {
        // The key may begin in the page before the first that begins with it or more.
        let page = self.fences.partition_point(|first| *first < key).saturating_sub(1);
        let mut rows = self.open_page(file, path, page, |row| row.key() < key)?;
        rows.settle()?;
        Ok(rows)
    }

    /// A walk that stands in `page`, behind the rows that are `before`.
    fn open_page<'a>(
        &'a self,
        file: &'a dyn DiskFile,
        path: &'a Path,
        page: usize,
        before: impl Fn(&R) -> bool,
    ) -> Result<Rows<'a, R>, Fault> {
        let mut rows = Rows { table: self, file, path, page, row: 0, loaded: Vec::new() };
        rows.load()?;
        rows.row = rows.loaded.partition_point(before);
        Ok(rows)
    }

    /// The page in which `row` belongs: the last that begins with it or less. Where many pages begin with its
    /// key, some of them are read.
    fn page_of(&self, file: &dyn DiskFile, path: &Path, row: &R) -> Result<usize, Fault> {
        let mut low = self.fences.partition_point(|first| *first < row.key()).saturating_sub(1);
        let mut high = self.fences.partition_point(|first| *first <= row.key());
        while high - low > 1 {
            let middle = low.midpoint(high);
            let number = self.extent.page + u32::try_from(middle).expect("pages are counted in 32 bits");
            if R::decode(&read_page(file, path, number)?[..R::SIZE]) <= *row {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Its rows from `row` on, in order.
    pub fn from_row<'a>(
        &'a self,
        file: &'a dyn DiskFile,
        path: &'a Path,
        row: &R,
    ) -> Result<Rows<'a, R>, Fault> {
        let mut rows = self.open_page(file, path, self.page_of(file, path, row)?, |r| r < row)?;
        rows.settle()?;
        Ok(rows)
    }

    /// Its rows before `row`, last first.
    pub fn before_row<'a>(
        &'a self,
        file: &'a dyn DiskFile,
        path: &'a Path,
        row: &R,
    ) -> Result<RowsBack<'a, R>, Fault> {
        Ok(RowsBack(self.open_page(file, path, self.page_of(file, path, row)?, |r| r < row)?))
    }

    /// Its rows before the first with a key of `key` or more, last first.
    pub fn before<'a>(
        &'a self,
        file: &'a dyn DiskFile,
        path: &'a Path,
        key: u64,
    ) -> Result<RowsBack<'a, R>, Fault> {
        let page = self.fences.partition_point(|first| *first < key);
        let mut rows =
            Rows { table: self, file, path, page: page.saturating_sub(1), row: 0, loaded: Vec::new() };
        if page > 0 {
            rows.load()?;
            rows.row = rows.loaded.partition_point(|row| row.key() < key);
        }
        Ok(RowsBack(rows))
    }
}

/// A walk through rows in either direction.
pub trait Walk<R> {
    /// The next row on the way.
    fn step(&mut self) -> Result<Option<R>, Fault>;
}

impl<R: Row> Walk<R> for Rows<'_, R> {
    fn step(&mut self) -> Result<Option<R>, Fault> {
        self.next()
    }
}

impl<R: Row> Walk<R> for RowsBack<'_, R> {
    fn step(&mut self) -> Result<Option<R>, Fault> {
        self.next()
    }
}

/// A walk through the rows of a table.
#[derive(Debug)]
pub struct Rows<'a, R> {
    table: &'a Table<R>,
    file: &'a dyn DiskFile,
    path: &'a Path,
    page: usize,
    row: usize,
    loaded: Vec<R>,
}

impl<R: Row> Rows<'_, R> {
    fn load(&mut self) -> Result<(), Fault> {
        self.loaded.clear();
        let before = self.page as u64 * Table::<R>::PER_PAGE as u64;
        let Some(left) = self.table.extent.rows.checked_sub(before).filter(|left| *left > 0) else {
            return Ok(());
        };
        let number = self.table.extent.page + u32::try_from(self.page).expect("pages are counted in 32 bits");
        let page = read_page(self.file, self.path, number)?;
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(Table::<R>::PER_PAGE);
        self.loaded.extend(page[..here * R::SIZE].chunks_exact(R::SIZE).map(R::decode));
        // A page of another place has a good checksum too.
        let key = |row: Option<&R>| row.map(Row::key);
        let fences = &self.table.fences;
        let begins = key(self.loaded.first()) == Some(fences[self.page]);
        let ends = fences.get(self.page + 1).is_none_or(|next| key(self.loaded.last()) <= Some(*next));
        if begins && ends {
            return Ok(());
        }
        let (file, offset) = (self.path.to_owned(), u64::from(number) * PAGE as u64);
        Err(Fault::Damaged { file, offset, reason: "a page holds other rows than it should" })
    }
    /// Goes to the next page when this one is used up.
    fn settle(&mut self) -> Result<(), Fault> {
        if self.row == self.loaded.len() && !self.loaded.is_empty() {
            self.page += 1;
            self.row = 0;
            self.load()?;
        }
        Ok(())
    }
    /// The key with which the page begins that stands so many after this one, as `shift` would make it;
    /// `None` if the table ends before.
    pub fn key_ahead(&self, pages: usize, shift: u32) -> Option<u64>
    where
        R: crate::index::Shift,
    {
        let first = *self.table.fences.get(self.page + pages)?;
        Some(R::shift_key(first, shift))
    }
    /// The row that [`Rows::next`] gives.
    pub fn peek(&self) -> Option<R> {
        self.loaded.get(self.row).copied()
    }
    /// The next row.
    #[allow(clippy::should_implement_trait, reason = "it can fail, and then there is nothing to go on with")]
    pub fn next(&mut self) -> Result<Option<R>, Fault> {
        let row = self.peek();
        if row.is_some() {
            self.row += 1;
            self.settle()?;
        }
        Ok(row)
    }
}

/// The same, backwards.
#[derive(Debug)]
pub struct RowsBack<'a, R>(Rows<'a, R>);

impl<R: Row> RowsBack<'_, R> {
    /// The row before.
    #[allow(clippy::should_implement_trait, reason = "it can fail, and then there is nothing to go on with")]
    pub fn next(&mut self) -> Result<Option<R>, Fault> {
        let rows = &mut self.0;
        if rows.row == 0 {
            if rows.page == 0 {
                return Ok(None);
            }
            rows.page -= 1;
            rows.load()?;
            rows.row = rows.loaded.len();
        }
        rows.row -= 1;
        Ok(rows.peek())
    }
}
