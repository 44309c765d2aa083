//! A snapshot: it is refused, or read to its end; what was read, written anew, reads back the same.
#![no_main]

use std::sync::Arc;

use ledger::Fault;
use ledger::snapshot::{Draft, Header, Reader, file_name};
use libfuzzer_sys::fuzz_target;
use yima_fuzz::Repair;
use yima_fuzz::disk::Memory;
use yima_fuzz::pages::{le_u32, unpack};

macro_rules! all {
    ($reader:ident, $count:ident, $piece:ident) => {
        (0..$reader.header.$count).map(|_| $reader.$piece()).collect::<Result<Vec<_>, Fault>>()?
    };
}

fn read_and_write(disk: &Memory, name: &str) -> Result<(), Fault> {
    let mut reader = Reader::open(disk, name)?;
    let header = reader.header;
    let accounts = all!(reader, accounts, account);
    let pending = all!(reader, pending, pending);
    let marks = all!(reader, marks, mark);

    let again = Memory::default();
    let mut draft = Draft::new(Arc::new(again.clone()), header.segment).expect("it can be written");
    accounts.iter().for_each(|entry| draft.account(entry).expect("it can be written"));
    let counted = Header { accounts: 0, pending: 0, marks: 0, ..header };
    draft.finish(counted, &pending, &marks).expect("it can be written");
    let mut reader = Reader::open(&again, name).expect("what was written reads");
    assert_eq!(reader.header, header);
    assert_eq!(all!(reader, accounts, account), accounts);
    assert_eq!(all!(reader, pending, pending), pending);
    assert_eq!(all!(reader, marks, mark), marks);
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let bytes = unpack(rest, Repair::by(*first));
    let name = file_name(le_u32(&bytes, 12));
    let disk = Memory::default();
    disk.put(&name, bytes);
    if let Err(Fault::Io(file, e)) = read_and_write(&disk, &name) {
        panic!("{}: {e}: the disk did not fail", file.display());
    }
});
