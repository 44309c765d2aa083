//! Files out of `in/`: taken up, judged, taken in, acknowledged. A step that a crash cut short is done again and comes
//! to the same end.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;

use kernel::Date;

use super::rules::{ACK, Ack, ExchangeFault, Kind, Missing, Named, Outcome};
use super::{Desk, Received, folder, store};
use crate::bill::import::{self, blocking, survey};
use crate::bill::reconcile::{self, each_returned};
use crate::bill::store::date_number;
use crate::bill::upload::Upload;
use crate::bill::{BillError, FileFault};
use crate::identity::{Biller, Role};
use crate::{Fault, Refusal as _};

/// The longest acknowledgement, in bytes.
const ACK_BYTES_MAX: u64 = 64 << 10;

/// A file on this machine, piece by piece.
struct FromDisk(Option<File>);

impl Upload for FromDisk {
    async fn next(&mut self) -> Option<Result<Vec<u8>, io::Error>> {
        let mut file = self.0.take()?;
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::new();
            io::Read::by_ref(&mut file).take(1 << 20).read_to_end(&mut piece).map(|_| (file, piece))
        });
        match read.await {
            Ok(Ok((_, piece))) if piece.is_empty() => None,
            Ok(Ok((file, piece))) => {
                self.0 = Some(file);
                Some(Ok(piece))
            }
            Ok(Err(e)) => Some(Err(e)),
            Err(e) => Some(Err(io::Error::other(e))),
        }
    }
}

/// What judging a file came to.
enum Judged {
    /// It was taken in, or is being.
    Taken,
    /// Nothing of it was.
    Refused(&'static str),
}

impl Desk<'_> {
    /// Moves what has rested long enough into `in/taking/`.
    pub(super) async fn take_up(&self) -> Result<(), BillError> {
        let (city, biller) = (self.city, self.pack.biller);
        let places = self.places.clone();
        let (files, unusable) = blocking(move || folder::files(&places.inbox)).await?;
        let now = city.now();
        let mut ripe = Vec::new();
        {
            let mut looks = city.bill.exchange.looks.lock().expect("no panic while held");
            let before: Vec<_> = looks.keys().filter(|(whose, _)| *whose == biller).cloned().collect();
            for key in before {
                if !files.iter().any(|(name, _)| *name == key.1) {
                    looks.remove(&key);
                }
            }
            for (name, look) in files {
                let seen = looks.entry((biller, name.clone())).or_insert((look, now));
                if seen.0 != look {
                    *seen = (look, now);
                }
                if now >= seen.1.plus(self.folder.quiet) {
                    ripe.push(name);
                }
            }
        }
        for name in ripe {
            let (places, what) = (self.places.clone(), name.clone());
            if blocking(move || folder::take(&places, &what)).await? {
                city.bill.exchange.looks.lock().expect("no panic while held").remove(&(biller, name));
            }
        }
        if unusable > 0 {
            let why = format!("{unusable} files in `in` have names that cannot be used");
            return Err(Fault::File(why).into());
        }
        Ok(())
    }

    /// Judges what lies in `in/taking/`, each file once.
    pub(super) async fn judge_all(&self) -> Result<(), BillError> {
        let (city, biller) = (self.city, self.pack.biller);
        let places = self.places.clone();
        let (files, _) = blocking(move || folder::files(&places.taking)).await?;
        let mut ended = Ok(());
        for (name, _) in files {
            let key = (biller, name);
            if city.bill.exchange.judged.lock().expect("no panic while held").contains(&key) {
                continue;
            }
            let judged = self.judge(&key.1).await;
            if judged.is_ok() {
                city.bill.exchange.judged.lock().expect("no panic while held").insert(key);
            }
            ended = ended.and(judged);
        }
        ended
    }

    async fn judge(&self, name: &str) -> Result<(), BillError> {
        let city = self.city;
        let kept = import::directory(city, self.pack.biller);
        let part = kept.join(format!("{:032x}.part", city.rng.u128()));
        let (from, to) = (self.places.taking.join(name), part.clone());
        let copied = blocking(move || folder::copy(&from, &to)).await;
        let judged = match copied {
            Ok((sha256, bytes)) => self.judge_copy(name, sha256, bytes, part.clone()).await,
            Err(why) => Err(why.into()),
        };
        let _ = blocking(move || fs::remove_file(part)).await; // it has its place, or is not needed
        judged
    }

    /// Judges the copy that nobody else writes to.
    async fn judge_copy(
        &self,
        name: &str,
        sha256: String,
        bytes: u64,
        part: PathBuf,
    ) -> Result<(), BillError> {
        let Named { kind, day, seq } = self.exchange.named(name);
        let mut file = Received {
            biller: self.pack.biller,
            name: name.to_owned(),
            sha256,
            kind,
            day,
            seq,
            bytes,
            outcome: None,
            code: None,
            import: None,
            records: 0,
            amount_minor: 0,
            arrived_at: self.city.now(),
            ended_at: None,
            told_at: None,
        };
        let judged = match kind {
            Kind::Unknown => Judged::Refused(ExchangeFault::NameUnknown.code()),
            Kind::Ack => self.read_ack(&mut file, part).await?,
            Kind::Bills | Kind::Returned if seq.is_some_and(|seq| seq < self.exchange.first) => {
                Judged::Refused(ExchangeFault::SequenceBelowFirst.code())
            }
            Kind::Bills => self.read_bills(&mut file, part).await?,
            Kind::Returned => self.read_returned(&mut file, part).await?,
        };
        if let Judged::Refused(code) = judged {
            file.outcome = Some(Outcome::Refused);
            file.code = Some(code.to_owned());
            file.ended_at = Some(self.city.now());
            self.put(&file).await?;
        }
        Ok(())
    }

    async fn put(&self, file: &Received) -> Result<(), BillError> {
        let file = file.clone();
        self.city
            .store
            .write(move |conn| {
                let file = file.clone();
                Box::pin(async move { Ok(store::put_in(conn, &file).await?) })
            })
            .await
    }

    /// Uses the number up and keeps the row, in one transaction.
    async fn claim(&self, file: &Received) -> Result<Result<(), ExchangeFault>, BillError> {
        let (file, series) = (file.clone(), self.exchange.series(file.day));
        self.city
            .store
            .write(move |conn| {
                let file = file.clone();
                Box::pin(async move {
                    let claimed = store::claim(&mut *conn, &file, series).await?;
                    if claimed.is_ok() {
                        store::put_in(conn, &file).await?;
                    }
                    Ok(claimed)
                })
            })
            .await
    }

    /// Bills: the first pass, the number, then the import that an upload would be.
    async fn read_bills(&self, file: &mut Received, part: PathBuf) -> Result<Judged, BillError> {
        let city = self.city;
        let layout = self.pack.spec.bills.file.clone().ok_or(BillError::NotByFile)?;
        let at = part.clone();
        let surveyed = match blocking(move || survey(&layout, File::open(&at)?)).await? {
            Ok(surveyed) => surveyed,
            Err(fault) => return Ok(Judged::Refused(fault.code())),
        };
        file.import = Some(import::import_id(file.biller, &file.sha256));
        (file.records, file.amount_minor) = (surveyed.records, surveyed.sum_minor);
        if let Err(fault) = self.claim(file).await? {
            return Ok(Judged::Refused(fault.code()));
        }
        let directory = import::directory(city, file.biller);
        let to = directory.join(&file.sha256);
        blocking(move || fs::rename(part, to).and_then(|()| folder::sync(&directory))).await?;
        let import = import::begin_surveyed(city, file.biller, surveyed, &file.name).await?;
        if import.finished_at.is_none() {
            import::spawn(city, import);
        }
        Ok(Judged::Taken)
    }

    /// A returned file: all of it is read before its number is used up; then it takes the place of an earlier one.
    async fn read_returned(&self, file: &mut Received, part: PathBuf) -> Result<Judged, BillError> {
        let city = self.city;
        let Some(day) = file.day else { return Ok(Judged::Refused(ExchangeFault::NameUnknown.code())) };
        if day >= city.now().date(city.settings.offset) {
            return Ok(Judged::Refused(BillError::DayNotOver.code()));
        }
        let (pack, at) = (self.pack.clone(), part.clone());
        let read = blocking(move || {
            let (mut records, mut sum) = (0u64, Some(0i64));
            let read = each_returned(pack.returned(), &at, |line| {
                records += 1;
                sum = sum.and_then(|sum| sum.checked_add(line.amount_minor));
                Ok(())
            });
            Ok(read.map(|()| (records, sum)))
        });
        match read.await? {
            Ok((records, Some(sum))) => (file.records, file.amount_minor) = (records, sum),
            Ok((_, None)) => return Ok(Judged::Refused(FileFault::TotalsMalformed(0).code())),
            Err(why @ (BillError::File(_) | BillError::ReturnedLine(..))) => {
                return Ok(Judged::Refused(why.code()));
            }
            Err(other) => return Err(other),
        }
        if let Err(fault) = self.claim(file).await? {
            return Ok(Judged::Refused(fault.code()));
        }
        let mut conn = city.store.read().await?;
        let newest = store::newest_returned(&mut conn, file.biller, date_number(day)).await?;
        drop(conn);
        // A filler that comes late does not push what came after it away.
        if i64::from(file.seq.unwrap_or(0)) >= newest {
            let who = Biller { id: file.biller, role: Role::Staff };
            let source = blocking(move || File::open(part)).await?;
            reconcile::put_biller_file(city, &who, day, FromDisk(Some(source))).await?;
        }
        file.outcome = Some(Outcome::Accepted);
        file.ended_at = Some(city.now());
        self.put(file).await?;
        Ok(Judged::Taken)
    }

    /// What the biller says of a file of ours.
    async fn read_ack(&self, file: &mut Received, part: PathBuf) -> Result<Judged, BillError> {
        let city = self.city;
        let refuse = |fault: ExchangeFault| Ok(Judged::Refused(fault.code()));
        if file.bytes > ACK_BYTES_MAX {
            return refuse(ExchangeFault::AckMalformed);
        }
        let text = blocking(move || fs::read(part)).await?;
        let Ok(ack) = serde_json::from_slice::<Ack>(&text) else {
            return refuse(ExchangeFault::AckMalformed);
        };
        if file.name.strip_suffix(ACK) != Some(ack.name.as_str()) {
            return refuse(ExchangeFault::AckMalformed);
        }
        let mut conn = city.store.read().await?;
        let sent = store::sent_named(&mut conn, file.biller, &ack.name).await?;
        drop(conn);
        let Some(sent) = sent else { return refuse(ExchangeFault::AckUnknown) };
        if !sent.sha256.eq_ignore_ascii_case(&ack.sha256) {
            return refuse(ExchangeFault::AckDiffers);
        }
        file.outcome = Some(Outcome::Accepted);
        file.ended_at = Some(city.now());
        let (file, now) = (file.clone(), city.now());
        let code = ack.code.map(|code| code.chars().filter(|c| !c.is_control()).take(64).collect::<String>());
        let put: Result<(), BillError> = city
            .store
            .write(move |conn| {
                let (file, name, code) = (file.clone(), ack.name.clone(), code.clone());
                Box::pin(async move {
                    store::acked(&mut *conn, file.biller, &name, ack.outcome, code.as_deref(), now).await?;
                    Ok(store::put_in(conn, &file).await?)
                })
            })
            .await;
        put?;
        Ok(Judged::Taken)
    }

    /// Ends what has come to its end: the acknowledgement into the folder, then the file out of `in/taking/`.
    pub(super) async fn tell(&self) -> Result<(), BillError> {
        let (city, biller) = (self.city, self.pack.biller);
        let mut conn = city.store.read().await?;
        let untold = store::untold(&mut conn, biller).await?;
        drop(conn);
        for mut file in untold {
            if file.outcome.is_none() && !self.is_through(&mut file).await? {
                continue;
            }
            if file.kind != Kind::Ack {
                let ack = self.ack_of(&file).await?;
                let text = serde_json::to_vec_pretty(&ack).map_err(|e| Fault::File(e.to_string()))?;
                let (acks, name) = (self.places.acks.clone(), format!("{}{ACK}", file.name));
                blocking(move || folder::write(&acks, &name, &text)).await?;
            }
            let (places, name, sha256) = (self.places.clone(), file.name.clone(), file.sha256.clone());
            let (accepted, keep) = (file.outcome == Some(Outcome::Accepted), self.folder.keep);
            blocking(move || folder::put_away(&places, &name, &sha256, accepted, keep)).await?;
            city.bill
                .exchange
                .judged
                .lock()
                .expect("no panic while held")
                .remove(&(biller, file.name.clone()));
            let now = city.now();
            let told: Result<(), BillError> = city
                .store
                .write(move |conn| {
                    let file = file.clone();
                    Box::pin(async move { Ok(store::told(conn, &file, now).await?) })
                })
                .await;
            told?;
        }
        Ok(())
    }

    /// Whether a file of bills is taken in by now; then its row says so.
    async fn is_through(&self, file: &mut Received) -> Result<bool, BillError> {
        let Some(id) = file.import else { return Ok(false) };
        let import = match import::lookup(self.city, id).await {
            Ok(import) => import,
            Err(BillError::ImportUnknown) => return Ok(false), // a crash came before it began; it is judged again
            Err(other) => return Err(other),
        };
        let Some(at) = import.finished_at else { return Ok(false) };
        let row = file.clone();
        let put: Result<(), BillError> = self
            .city
            .store
            .write(move |conn| {
                let row = row.clone();
                Box::pin(async move { Ok(store::accept(conn, &row, at).await?) })
            })
            .await;
        put?;
        (file.outcome, file.ended_at) = (Some(Outcome::Accepted), Some(at));
        Ok(true)
    }

    async fn ack_of(&self, file: &Received) -> Result<Ack, BillError> {
        let accepted = file.outcome == Some(Outcome::Accepted);
        let mut ack = Ack {
            name: file.name.clone(),
            sha256: file.sha256.clone(),
            outcome: file.outcome.unwrap_or(Outcome::Refused),
            code: file.code.clone(),
            sequence: file.seq,
            records: file.records,
            amount_minor: file.amount_minor,
            added: 0,
            unchanged: 0,
            refused: 0,
            errors: std::collections::BTreeMap::new(),
            missing: self.missing(file.kind, file.day, file.seq).await?,
        };
        if let Some(id) = file.import.filter(|_| accepted) {
            let import = import::lookup(self.city, id).await?;
            (ack.added, ack.unchanged, ack.refused) = (import.added, import.unchanged, import.refused);
            let mut conn = self.city.store.read().await?;
            ack.errors = store::errors(&mut conn, id).await?;
        }
        Ok(ack)
    }

    /// The numbers that are missing before this one in its series.
    async fn missing(
        &self,
        kind: Kind,
        day: Option<Date>,
        seq: Option<u32>,
    ) -> Result<Vec<Missing>, BillError> {
        let Some(seq) = seq else { return Ok(Vec::new()) };
        let mut conn = self.city.store.read().await?;
        let gaps = store::gaps(&mut conn, self.pack.biller, self.exchange.first).await?;
        let series = self.exchange.series(day);
        let mine = gaps.into_iter().filter(|gap| gap.kind == kind && gap.series == series);
        Ok(mine.map(|gap| gap.missing).filter(|missing| missing.from < seq).collect())
    }
}
