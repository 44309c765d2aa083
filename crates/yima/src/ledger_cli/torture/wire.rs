//! What the observer and its victim say to each other over a pipe: length, number of the request, kind,
//! body; integers little-endian. Only these two programs speak it, and they are the same binary.

use std::io::{self, Read, Write};

use ledger::{
    Account, AccountFlags, CreateAccountResult, CreateAccountStatus, CreateTransferResult,
    CreateTransferStatus, Transfer, TransferFlags,
};

/// A question or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The victim has opened its ledger.
    Open {
        /// Frames that it read.
        frames: u64,
        /// Bytes of an unfinished write that it cut.
        torn_bytes: u64,
    },
    /// Create these.
    CreateAccounts(Vec<Account>),
    /// What became of each.
    CreatedAccounts(Vec<CreateAccountResult>),
    /// Create these.
    CreateTransfers(Vec<Transfer>),
    /// What became of each.
    CreatedTransfers(Vec<CreateTransferResult>),
    /// Read the feed after this timestamp, at most so many.
    Feed(u64, u32),
    /// Its transfers.
    Transfers(Vec<Transfer>),
    /// Read the accounts from this timestamp on, as many as fit.
    QueryAccounts(u64),
    /// They.
    Accounts(Vec<Account>),
    /// Close the ledger and end.
    Close,
    /// No answer, by the engine's code.
    Failed(String),
}

struct Reader<'a>(&'a [u8]);

type Parsed<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk().ok_or("a message is too short")?;
        self.0 = rest;
        Ok(*head)
    }
    fn u16(&mut self) -> Parsed<u16> {
        self.take().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Parsed<u32> {
        self.take().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Parsed<u64> {
        self.take().map(u64::from_le_bytes)
    }
    fn u128(&mut self) -> Parsed<u128> {
        self.take().map(u128::from_le_bytes)
    }
    fn all<T>(&mut self, mut each: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut out = Vec::new();
        while !self.0.is_empty() {
            out.push(each(self)?);
        }
        Ok(out)
    }
    fn account(&mut self) -> Parsed<Account> {
        Ok(Account {
            id: self.u128()?,
            debits_pending: self.u128()?,
            debits_posted: self.u128()?,
            credits_pending: self.u128()?,
            credits_posted: self.u128()?,
            user_data_128: self.u128()?,
            user_data_64: self.u64()?,
            user_data_32: self.u32()?,
            ledger: self.u32()?,
            code: self.u16()?,
            flags: AccountFlags(self.u16()?),
            timestamp: self.u64()?,
        })
    }
    fn transfer(&mut self) -> Parsed<Transfer> {
        Ok(Transfer {
            id: self.u128()?,
            debit_account_id: self.u128()?,
            credit_account_id: self.u128()?,
            amount: self.u128()?,
            pending_id: self.u128()?,
            user_data_128: self.u128()?,
            user_data_64: self.u64()?,
            user_data_32: self.u32()?,
            timeout: self.u32()?,
            ledger: self.u32()?,
            code: self.u16()?,
            flags: TransferFlags(self.u16()?),
            timestamp: self.u64()?,
        })
    }
}

fn put_account(out: &mut Vec<u8>, a: &Account) {
    for value in
        [a.id, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted, a.user_data_128]
    {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&a.user_data_64.to_le_bytes());
    out.extend_from_slice(&a.user_data_32.to_le_bytes());
    out.extend_from_slice(&a.ledger.to_le_bytes());
    out.extend_from_slice(&a.code.to_le_bytes());
    out.extend_from_slice(&a.flags.bits().to_le_bytes());
    out.extend_from_slice(&a.timestamp.to_le_bytes());
}

fn put_transfer(out: &mut Vec<u8>, t: &Transfer) {
    for value in [t.id, t.debit_account_id, t.credit_account_id, t.amount, t.pending_id, t.user_data_128] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&t.user_data_64.to_le_bytes());
    out.extend_from_slice(&t.user_data_32.to_le_bytes());
    out.extend_from_slice(&t.timeout.to_le_bytes());
    out.extend_from_slice(&t.ledger.to_le_bytes());
    out.extend_from_slice(&t.code.to_le_bytes());
    out.extend_from_slice(&t.flags.bits().to_le_bytes());
    out.extend_from_slice(&t.timestamp.to_le_bytes());
}

fn put_result(out: &mut Vec<u8>, timestamp: u64, status: u32) {
    out.extend_from_slice(&timestamp.to_le_bytes());
    out.extend_from_slice(&status.to_le_bytes());
}

impl Message {
    fn kind(&self) -> u8 {
        match self {
            Message::Open { .. } => 0,
            Message::CreateAccounts(_) => 1,
            Message::CreatedAccounts(_) => 2,
            Message::CreateTransfers(_) => 3,
            Message::CreatedTransfers(_) => 4,
            Message::Feed(..) => 5,
            Message::Transfers(_) => 6,
            Message::QueryAccounts(_) => 7,
            Message::Accounts(_) => 8,
            Message::Close => 9,
            Message::Failed(_) => 10,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Message::Open { frames, torn_bytes } => {
                out.extend_from_slice(&frames.to_le_bytes());
                out.extend_from_slice(&torn_bytes.to_le_bytes());
            }
            Message::CreateAccounts(list) | Message::Accounts(list) => {
                for a in list {
                    put_account(out, a);
                }
            }
            Message::CreateTransfers(list) | Message::Transfers(list) => {
                for t in list {
                    put_transfer(out, t);
                }
            }
            Message::CreatedAccounts(list) => {
                for r in list {
                    put_result(out, r.timestamp, r.status.code());
                }
            }
            Message::CreatedTransfers(list) => {
                for r in list {
                    put_result(out, r.timestamp, r.status.code());
                }
            }
            Message::Feed(after, limit) => put_result(out, *after, *limit),
            Message::QueryAccounts(from) => out.extend_from_slice(&from.to_le_bytes()),
            Message::Close => {}
            Message::Failed(code) => out.extend_from_slice(code.as_bytes()),
        }
    }

    fn take(kind: u8, body: &[u8]) -> Parsed<Message> {
        let mut r = Reader(body);
        Ok(match kind {
            0 => Message::Open { frames: r.u64()?, torn_bytes: r.u64()? },
            1 => Message::CreateAccounts(r.all(Reader::account)?),
            2 => Message::CreatedAccounts(r.all(|r| {
                let timestamp = r.u64()?;
                let status = CreateAccountStatus::from_code(r.u32()?).ok_or("an unknown status")?;
                Ok(CreateAccountResult { timestamp, status })
            })?),
            3 => Message::CreateTransfers(r.all(Reader::transfer)?),
            4 => Message::CreatedTransfers(r.all(|r| {
                let timestamp = r.u64()?;
                let status = CreateTransferStatus::from_code(r.u32()?).ok_or("an unknown status")?;
                Ok(CreateTransferResult { timestamp, status })
            })?),
            5 => Message::Feed(r.u64()?, r.u32()?),
            6 => Message::Transfers(r.all(Reader::transfer)?),
            7 => Message::QueryAccounts(r.u64()?),
            8 => Message::Accounts(r.all(Reader::account)?),
            9 => Message::Close,
            10 => Message::Failed(String::from_utf8_lossy(body).into_owned()),
            _ => return Err("a message of an unknown kind"),
        })
    }
}

/// Writes one message and hands it over at once.
pub fn write(out: &mut impl Write, number: u64, message: &Message) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.push(message.kind());
    message.put(&mut bytes);
    let len = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    out.write_all(&bytes)?;
    out.flush()
}

/// The next message with its number; `None` once the other side is gone, also if it went in the middle of one.
pub fn read(input: &mut impl Read) -> io::Result<Option<(u64, Message)>> {
    let mut whole = |buffer: &mut [u8]| match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    };
    let mut len = [0; 4];
    if !whole(&mut len)? {
        return Ok(None);
    }
    let mut bytes = vec![0; u32::from_le_bytes(len) as usize];
    if !whole(&mut bytes)? {
        return Ok(None);
    }
    let parse = || -> Parsed<(u64, Message)> {
        let mut r = Reader(&bytes);
        let (number, [kind]) = (r.u64()?, r.take()?);
        Ok((number, Message::take(kind, r.0)?))
    };
    parse().map(Some).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_arrives_as_it_was_sent() {
        let a = Account {
            id: u128::MAX - 1,
            debits_pending: 1,
            debits_posted: 2,
            credits_pending: 3,
            credits_posted: 4,
            user_data_128: 5,
            user_data_64: 6,
            user_data_32: 7,
            ledger: 8,
            code: 9,
            flags: AccountFlags::History,
            timestamp: 10,
        };
        let t = Transfer {
            id: 1,
            debit_account_id: 2,
            credit_account_id: 3,
            amount: u128::MAX,
            pending_id: 4,
            user_data_128: 5,
            user_data_64: 6,
            user_data_32: 7,
            timeout: 8,
            ledger: 9,
            code: 10,
            flags: TransferFlags::Pending,
            timestamp: 11,
        };
        let account = CreateAccountResult { timestamp: 7, status: CreateAccountStatus::Exists };
        let transfer = CreateTransferResult { timestamp: 8, status: CreateTransferStatus::Created };
        let all = [
            Message::Open { frames: 3, torn_bytes: 4 },
            Message::CreateAccounts(vec![a, a]),
            Message::CreatedAccounts(vec![account]),
            Message::CreateTransfers(vec![t]),
            Message::CreatedTransfers(vec![transfer, transfer]),
            Message::Feed(1, 2),
            Message::Transfers(vec![t, t]),
            Message::QueryAccounts(9),
            Message::Accounts(vec![]),
            Message::Close,
            Message::Failed("ledger_closed".into()),
        ];
        let mut pipe = Vec::new();
        for (number, message) in (7..).zip(&all) {
            write(&mut pipe, number, message).unwrap();
        }
        let mut input = &pipe[..];
        for (number, message) in (7..).zip(&all) {
            assert_eq!(read(&mut input).unwrap(), Some((number, message.clone())));
        }
        assert_eq!(read(&mut input).unwrap(), None);
        assert_eq!(read(&mut &pipe[..10]).unwrap(), None, "cut off in the middle");
    }
}
