use std::collections::BTreeMap;
pub struct Made { pub id: String, pub text: String, pub lines: BTreeMap<String, String> }
pub fn pack(_seed: u64, _nth: usize) -> Made { Made { id: String::new(), text: String::new(), lines: BTreeMap::new() } }
