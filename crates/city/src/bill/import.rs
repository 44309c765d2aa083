//! Bringing a biller's file in: two passes over the bytes, one line at a time.
//!
//! | pass | reads | decides |
//! |---|---|---|
//! | [`survey`] | the whole file, once, before anything is applied | encoding, totals, number of records: a malformed FILE is refused whole |
//! | [`run`] | record by record, in chunks of one transaction each | a bad ROW is reported with line, field and reason; the others go in |
//!
//! Progress (line, byte) moves in the transaction of the rows, so a crash resumes where the last
//! commit ended. Must never apply a row twice or change one: a bill's id is derived from its content's key.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use kernel::ids::{BillerId, ImportId};
use kernel::{Timestamp, hex};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::layout::{At, LINE_MAX, Layout};
use super::pack::Pack;
use super::rules::{self, Bill, RowFault};
use super::store::{self, Step};
use super::{BillError, pack};
use crate::{City, Fault};

/// An import and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Derived from biller and content: the same file is the same import.
    pub id: ImportId,
    /// Whose file.
    pub biller: BillerId,
    /// Of the whole file, hexadecimal.
    pub sha256: String,
    /// What the file was called when it first came.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Lines taken in so far.
    pub line: u64,
    /// Bytes taken in so far.
    pub at_byte: u64,
    /// Bills that were new.
    pub added: u64,
    /// Bills that were there, the same.
    pub unchanged: u64,
    /// Rows with an error.
    pub refused: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was through.
    pub finished_at: Option<Timestamp>,
}

/// A row that was not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The line in the file, from 1.
    pub line: u64,
    /// The field at fault; empty for the line as a whole.
    pub field: String,
    /// The reason's stable code.
    pub code: String,
}

/// Why a file is refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// This line is not in the layout's encoding.
    Encoding(u64),
    /// This line is longer than [`LINE_MAX`] bytes.
    LineTooLong(u64),
    /// No record, and no totals that say so.
    Empty,
    /// The layout wants a totals line and the file has none.
    TotalsMissing,
    /// The totals on this line cannot be read.
    TotalsMalformed(u64),
    /// This line stands after the totals.
    AfterTotals(u64),
    /// The totals say another number of records than there are: declared, found.
    CountDiffers(u64, u64),
    /// The totals say another sum than the records add up to, minor units: declared, found.
    SumDiffers(i64, i64),
}

impl FileFault {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            FileFault::Encoding(_) => "file_encoding",
            FileFault::LineTooLong(_) => "file_line_too_long",
            FileFault::Empty => "file_empty",
            FileFault::TotalsMissing => "file_totals_missing",
            FileFault::TotalsMalformed(_) => "file_totals_malformed",
            FileFault::AfterTotals(_) => "file_after_totals",
            FileFault::CountDiffers(..) => "file_count_differs",
            FileFault::SumDiffers(..) => "file_sum_differs",
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileFault::Encoding(line) => write!(f, "line {line} is not in the encoding of the layout"),
            FileFault::LineTooLong(line) => write!(f, "line {line} is longer than {LINE_MAX} bytes"),
            FileFault::Empty => f.write_str("the file has no records"),
            FileFault::TotalsMissing => f.write_str("the totals line is missing"),
            FileFault::TotalsMalformed(line) => write!(f, "the totals on line {line} cannot be read"),
            FileFault::AfterTotals(line) => write!(f, "line {line} stands after the totals"),
            FileFault::CountDiffers(a, b) => write!(f, "the totals say {a} records, the file has {b}"),
            FileFault::SumDiffers(a, b) => {
                write!(f, "the totals say {a} minor units, the records add up to {b}")
            }
        }
    }
}

impl std::error::Error for FileFault {}

/// What the first pass found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Of the whole file, hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// The sum of the amounts that can be read, minor units.
    pub sum_minor: i64,
    /// Lines before the first record.
    pub first_line: u64,
    /// Bytes before the first record.
    pub first_byte: u64,
}

/// The lines of a file, without their ends; a line of more than [`LINE_MAX`] bytes ends the reading.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    line: u64,
    at_byte: u64,
}

pub(super) enum Next<'l> {
    Line(&'l [u8]),
    TooLong,
    End,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R, line: u64, at_byte: u64) -> Lines<R> {
        Lines { input, buffer: Vec::with_capacity(LINE_MAX), line, at_byte }
    }

    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        self.buffer.clear();
        let limit = LINE_MAX as u64 + 2;
        let read = io::Read::take(&mut self.input, limit).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(Next::End);
        }
        self.line += 1;
        self.at_byte += read as u64;
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(if line.len() > LINE_MAX { Next::TooLong } else { Next::Line(line) })
    }
}

/// Reads past a hash of everything read.
struct Hashing<R> {
    input: R,
    hash: Sha256,
}

impl<R: io::Read> io::Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        self.hash.update(&buf[..n]);
        Ok(n)
    }
}

/// What the first pass has counted.
#[derive(Default)]
struct Tally {
    records: u64,
    sum: i64,
    /// Records whose amount cannot be read: the sum is then a lower bound only.
    unread: u64,
    totals: Option<(u64, i64)>,
}

impl Tally {
    fn check(&self, layout: &Layout) -> Result<(), FileFault> {
        let Some((count, sum)) = self.totals else {
            if layout.totals.is_some() {
                return Err(FileFault::TotalsMissing);
            }
            return if self.records == 0 { Err(FileFault::Empty) } else { Ok(()) };
        };
        if count != self.records {
            return Err(FileFault::CountDiffers(count, self.records));
        }
        let agrees = if self.unread == 0 { sum == self.sum } else { sum >= self.sum };
        if agrees { Ok(()) } else { Err(FileFault::SumDiffers(sum, self.sum)) }
    }
}

/// The first pass: reads every byte, applies nothing.
pub fn survey(layout: &Layout, input: impl io::Read) -> io::Result<Result<Survey, FileFault>> {
    let hashing = Hashing { input, hash: Sha256::new() };
    let mut lines = Lines::new(BufReader::with_capacity(1 << 20, hashing), 0, 0);
    let mut tally = Tally::default();
    let mut survey = Survey::default();
    let first_totals = layout.totals.as_ref().is_some_and(|t| t.at == At::First);
    let preamble = layout.preamble() as u64;
    loop {
        let number = lines.line + 1;
        let line = match lines.next()? {
            Next::End => break,
            Next::TooLong => return Ok(Err(FileFault::LineTooLong(number))),
            Next::Line(line) => line,
        };
        if layout.decode(line).is_none() {
            return Ok(Err(FileFault::Encoding(number)));
        }
        let is_totals = (first_totals && number == preamble) || layout.is_last_totals(line);
        if number <= preamble || is_totals {
            if is_totals {
                let Ok(read) = layout.read_totals(line) else {
                    return Ok(Err(FileFault::TotalsMalformed(number)));
                };
                tally.totals = Some(read);
            }
            if number <= preamble {
                (survey.first_line, survey.first_byte) = (lines.line, lines.at_byte);
            }
        } else if !line.is_empty() {
            if !first_totals && tally.totals.is_some() {
                return Ok(Err(FileFault::AfterTotals(number)));
            }
            tally.records += 1;
            match rules::declared_amount(layout, line).and_then(|a| tally.sum.checked_add(a)) {
                Some(sum) => tally.sum = sum,
                None => tally.unread += 1,
            }
        }
    }
    survey.records = tally.records;
    survey.sum_minor = tally.sum;
    survey.bytes = lines.at_byte;
    survey.sha256 = hex(&lines.input.into_inner().hash.finalize());
    Ok(tally.check(layout).map(|()| survey))
}

/// Lines of one transaction: enough to make the index's pages worth writing, few enough not to keep
/// other writers waiting for long.
const CHUNK_LINES: usize = 65_536;
/// How many row errors of an import are kept; all are counted.
pub const ROW_ERRORS_KEPT: u64 = 10_000;

/// What the parser hands to the writer.
struct Chunk {
    bills: Vec<(u64, Bill)>,
    faults: Vec<(u64, RowFault)>,
    line: u64,
    at_byte: u64,
    last: bool,
}

/// The second pass's parser: cuts the file from where the import stands into chunks.
fn parse(
    pack: &Pack,
    path: &Path,
    from: (u64, u64),
    chunks: &mpsc::Sender<io::Result<Chunk>>,
) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from.1))?;
    let mut lines = Lines::new(BufReader::with_capacity(1 << 20, file), from.0, from.1);
    let layout = pack.spec.bills.file.as_ref();
    let layout = layout.ok_or_else(|| io::Error::other("the biller hands over no files any more"))?;
    loop {
        let mut chunk = Chunk { bills: Vec::new(), faults: Vec::new(), line: 0, at_byte: 0, last: false };
        chunk.bills.reserve(CHUNK_LINES);
        while chunk.bills.len() + chunk.faults.len() < CHUNK_LINES {
            let number = lines.line + 1;
            match lines.next()? {
                Next::End => {
                    chunk.last = true;
                    break;
                }
                // The first pass has seen shorter lines: the file was changed since.
                Next::TooLong => return Err(io::Error::other("the file changed while it was read")),
                Next::Line(line) if line.is_empty() || layout.is_last_totals(line) => {}
                Next::Line(line) => match rules::read_bill(pack, layout, line) {
                    Ok(bill) => chunk.bills.push((number, bill)),
                    Err(fault) => chunk.faults.push((number, fault)),
                },
            }
        }
        // In the order of the index. Of two rows with one key the earlier line stays the earlier.
        chunk.bills.sort_unstable_by_key(|(line, bill)| (bill.id, *line));
        (chunk.line, chunk.at_byte) = (lines.line, lines.at_byte);
        let last = chunk.last;
        if chunks.blocking_send(Ok(chunk)).is_err() || last {
            return Ok(()); // the writer has stopped, or all is read
        }
    }
}

/// Brings a file in from where it lies, showing progress after every commit. The file must stay as it
/// is meanwhile. The same file again changes nothing and gives the same import.
pub async fn import_path(
    city: &City,
    biller: BillerId,
    path: &Path,
    name: &str,
    progress: impl Fn(&Import) + Send,
) -> Result<Import, BillError> {
    let import = begin(city, biller, path, name).await?;
    progress(&import);
    run(city, import, path, progress).await
}

/// The first pass over a file and its row in `import`.
pub(super) async fn begin(
    city: &City,
    biller: BillerId,
    path: &Path,
    name: &str,
) -> Result<Import, BillError> {
    let pack = pack(city, biller).await?;
    let (at, layout) = (path.to_path_buf(), pack.spec.bills.file.clone().ok_or(BillError::NotByFile)?);
    let surveyed = blocking(move || survey(&layout, File::open(&at)?)).await??;
    begin_surveyed(city, biller, surveyed, name).await
}

/// The row of a file that the first pass found good.
pub(super) async fn begin_surveyed(
    city: &City,
    biller: BillerId,
    surveyed: Survey,
    name: &str,
) -> Result<Import, BillError> {
    let id = import_id(biller, &surveyed.sha256);
    let (name, now) = (name.to_owned(), city.now());
    let begun: Result<Option<Import>, BillError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                store::begin_import(&mut *conn, id, biller, &name, &surveyed, now).await?;
                Ok(store::import_by_id(conn, id).await?)
            })
        })
        .await;
    begun?.ok_or(BillError::ImportUnknown)
}

/// The id of the import of this content by this biller.
pub fn import_id(biller: BillerId, sha256: &str) -> ImportId {
    ImportId::derive(&[&biller.to_bytes(), sha256.as_bytes()])
}

/// The second pass: from where the import stands to its end.
pub(super) async fn run(
    city: &City,
    import: Import,
    path: &Path,
    progress: impl Fn(&Import) + Send,
) -> Result<Import, BillError> {
    if import.finished_at.is_some() {
        return Ok(import);
    }
    let pack = pack(city, import.biller).await?;
    // One import at a time keeps the parser's thread, the writer and the payments on two cores.
    let _turn = city.bill.importing.lock().await;
    let mut import = lookup(city, import.id).await?;
    if import.finished_at.is_some() {
        return Ok(import);
    }
    let (sender, mut chunks) = mpsc::channel(1);
    let (at, from) = (path.to_path_buf(), (import.line, import.at_byte));
    let parser = std::thread::spawn(move || {
        if let Err(why) = parse(&pack, &at, from, &sender) {
            let _ = sender.blocking_send(Err(why)); // nobody listens any more: the writer has failed
        }
    });
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk.map_err(|e| Fault::File(e.to_string()))?;
        let step = apply(city, &import, chunk).await?;
        import.line = step.line;
        import.at_byte = step.at_byte;
        import.added += step.added;
        import.unchanged += step.unchanged;
        import.refused += step.refused;
        import.finished_at = step.finished_at;
        progress(&import);
    }
    let _ = parser.join(); // what it had to say came through the channel
    if import.finished_at.is_none() {
        return Err(Fault::File("the import stopped before the end of the file".into()).into());
    }
    Ok(import)
}

/// One chunk in one transaction: rows, errors, progress.
async fn apply(city: &City, import: &Import, chunk: Chunk) -> Result<Step, BillError> {
    let (id, from_byte) = (import.id, import.at_byte);
    let kept = ROW_ERRORS_KEPT.saturating_sub(import.refused);
    let now = city.now();
    city.store
        .write(move |conn| {
            Box::pin(async move {
                let Chunk { bills, mut faults, line, at_byte, last } = chunk;
                let added = store::add_bills(&mut *conn, &bills).await?;
                faults.extend(added.differing.iter().map(|at| (bills[*at].0, RowFault::Differs)));
                faults.sort_unstable_by_key(|(line, _)| *line);
                let step = Step {
                    from_byte,
                    line,
                    at_byte,
                    added: added.new,
                    unchanged: added.unchanged,
                    refused: faults.len() as u64,
                    finished_at: last.then_some(now),
                };
                faults.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
                store::add_row_errors(&mut *conn, id, &faults).await?;
                store::advance_import(conn, id, &step).await?;
                Ok(step)
            })
        })
        .await
}

/// An import.
pub async fn lookup(city: &City, id: ImportId) -> Result<Import, BillError> {
    let mut conn = city.store.read().await?;
    store::import_by_id(&mut conn, id).await?.ok_or(BillError::ImportUnknown)
}

/// Where the uploads of a biller lie until they are taken in, and after: one file each, named by its hash.
pub(super) fn directory(city: &City, biller: BillerId) -> PathBuf {
    city.settings.data_dir.join("imports").join(biller.to_string())
}

/// Takes up, in the background, an import whose file lies in [`directory`].
pub(super) fn spawn(city: &City, import: Import) {
    let path = directory(city, import.biller).join(&import.sha256);
    let city = city.clone();
    tokio::spawn(async move {
        let id = import.id;
        match run(&city, import, &path, |_| {}).await {
            Ok(done) => {
                city.bill.stopped.lock().expect("no panic while held").remove(&id);
                tracing::info!(import = %id, added = done.added, refused = done.refused, "imported");
            }
            Err(why) => {
                let stopped = (city.now(), why.to_string());
                city.bill.stopped.lock().expect("no panic while held").insert(id, stopped);
                tracing::error!(import = %id, %why, "an import stopped; it goes on at the next start");
            }
        }
    });
}

/// Takes up what a crash or a stop left unfinished, as far as its file is on this machine.
pub(super) async fn resume(city: &City) -> Result<(), BillError> {
    let mut conn = city.store.read().await?;
    for import in store::unfinished_imports(&mut conn).await? {
        if directory(city, import.biller).join(&import.sha256).is_file() {
            spawn(city, import);
        }
    }
    Ok(())
}

/// Runs file work beside the runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(Fault::File(e.to_string())),
        Err(e) => Err(Fault::File(e.to_string())),
    }
}
