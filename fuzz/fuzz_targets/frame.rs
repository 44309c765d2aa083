//! One frame: whatever is read re-encodes to the same bytes, and what was encoded reads back the same.
#![no_main]

use ledger::frame;
use libfuzzer_sys::fuzz_target;
use yima_fuzz::{Repair, seal};

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let mut bytes = rest.to_vec();
    if Repair::by(*first) != Repair::None {
        seal(&mut bytes);
    }
    let sound = frame::find_sound(&bytes);
    let Ok(read) = frame::read(&bytes) else {
        assert_ne!(sound, Some(0));
        return;
    };
    assert_eq!(sound, Some(0));
    assert_eq!(read.bytes, &bytes[..read.bytes.len()]);
    let Ok(records) = read.records() else { return };
    let mut builder = frame::Builder::default();
    for record in &records {
        builder.push(record);
    }
    let header = read.header;
    let again = builder.seal(header.number, header.timestamp, header.first_record, header.parent);
    assert_eq!(again, read.bytes, "what reads re-encodes to the same bytes");
    let back = frame::read(&again).expect("what was encoded reads");
    assert_eq!((back.header, back.hash()), (read.header, read.hash()));
    assert_eq!(back.records().expect("and so do its records"), records);
});
