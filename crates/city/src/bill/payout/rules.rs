//! What a bank's word changes of a payout: pure.
//!
//! Must never let a word undo a movement: only a rejection of what was not booked, or money that came back, frees it.

use channel::iso20022::{Direction, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a payout stands with the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The bank was not told yet.
    Due,
    /// In a batch.
    Sent,
    /// The bank has taken it over.
    Accepted,
    /// On the bank's statement: paid.
    Booked,
    /// The bank will not do it; the money is the biller's again.
    Rejected,
    /// Booked, and sent back by the biller's bank; the money is the biller's again.
    Returned,
}

impl State {
    const ALL: [State; 6] =
        [State::Due, State::Sent, State::Accepted, State::Booked, State::Rejected, State::Returned];

    /// The name in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            State::Due => "due",
            State::Sent => "sent",
            State::Accepted => "accepted",
            State::Booked => "booked",
            State::Rejected => "rejected",
            State::Returned => "returned",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the money goes back to the biller.
    pub fn is_sent_back(self) -> bool {
        matches!(self, State::Rejected | State::Returned)
    }
}

/// How the bank and the books disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The bank speaks of what no payout is known by.
    UnknownReference,
    /// It speaks of a payout that it was never told of.
    NeverSent,
    /// It booked another amount.
    AmountDiffers,
    /// It booked one payout more than once.
    BookedTwice,
    /// It rejected a payout, and booked or accepted it all the same.
    BookedAfterRejection,
    /// It booked a payout, and rejected it later.
    RejectedAfterBooking,
    /// It took the batch for one that it had: the file was handed in twice, or its id was used before.
    DuplicateReported,
    /// Money came back that had not gone.
    ReturnedUnbooked,
    /// The day of the batch is over, and the statement does not have it.
    NotBooked,
}

impl Code {
    const ALL: [Code; 9] = [
        Code::UnknownReference,
        Code::NeverSent,
        Code::AmountDiffers,
        Code::BookedTwice,
        Code::BookedAfterRejection,
        Code::RejectedAfterBooking,
        Code::DuplicateReported,
        Code::ReturnedUnbooked,
        Code::NotBooked,
    ];

    /// The name in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Code::UnknownReference => "unknown_reference",
            Code::NeverSent => "never_sent",
            Code::AmountDiffers => "amount_differs",
            Code::BookedTwice => "booked_twice",
            Code::BookedAfterRejection => "booked_after_rejection",
            Code::RejectedAfterBooking => "rejected_after_booking",
            Code::DuplicateReported => "duplicate_reported",
            Code::ReturnedUnbooked => "returned_unbooked",
            Code::NotBooked => "not_booked",
        }
    }

    /// The code of that name.
    pub fn from_name(name: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.name() == name)
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Code::UnknownReference | Code::NeverSent => "bank_proves_or_returns",
            Code::AmountDiffers => "settle_difference_with_bank",
            Code::BookedTwice | Code::BookedAfterRejection => "recall_from_biller",
            Code::RejectedAfterBooking | Code::DuplicateReported | Code::ReturnedUnbooked => {
                "ask_bank_which_holds"
            }
            Code::NotBooked => "ask_bank_to_trace",
        }
    }
}

/// What follows of a word of the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing new.
    Stay,
    /// It stands so now.
    To(State),
    /// It contradicts what is known.
    Break(Code),
}

/// What a status report means.
pub fn on_status(state: State, outcome: Outcome) -> Verdict {
    use Outcome as O;
    match (state, outcome) {
        (_, O::Part | O::Pending) => Verdict::Stay,
        (State::Due, _) => Verdict::Break(Code::NeverSent),
        (State::Sent | State::Accepted, O::Rejected) => Verdict::To(State::Rejected),
        (State::Sent, O::Accepted | O::Settled) => Verdict::To(State::Accepted),
        (State::Booked, O::Rejected) => Verdict::Break(Code::RejectedAfterBooking),
        (State::Rejected, O::Accepted | O::Settled) => Verdict::Break(Code::BookedAfterRejection),
        _ => Verdict::Stay,
    }
}

/// Whether a rejection says that the bank had the message already: then it says nothing of the payouts in it.
pub fn is_duplicate(reason: &str) -> bool {
    let code = reason.split(' ').next().unwrap_or_default();
    matches!(code, "AM05" | "DUPL" | "DU01" | "DU02" | "DU03" | "DU04" | "DU05")
}

/// What a booked movement means; `seen` says whether a message of its kind had this movement before.
pub fn on_movement(state: State, ours: i64, theirs: i64, direction: Direction, seen: bool) -> Verdict {
    match (direction, state) {
        (_, State::Due) => Verdict::Break(Code::NeverSent),
        (_, State::Sent | State::Accepted | State::Booked | State::Returned) if ours != theirs => {
            Verdict::Break(Code::AmountDiffers)
        }
        (Direction::Debit, State::Sent | State::Accepted) => Verdict::To(State::Booked),
        (Direction::Debit, State::Booked | State::Returned) if seen => Verdict::Break(Code::BookedTwice),
        (Direction::Debit, State::Rejected) => Verdict::Break(Code::BookedAfterRejection),
        (Direction::Credit, State::Booked) => Verdict::To(State::Returned),
        (Direction::Credit, State::Sent | State::Accepted | State::Rejected) => {
            Verdict::Break(Code::ReturnedUnbooked)
        }
        (Direction::Debit, State::Booked | State::Returned) | (Direction::Credit, State::Returned) => {
            Verdict::Stay
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_in_every_state() {
        use Code as C;
        use State as S;
        use Verdict::{Break, Stay, To};
        let rows = [
            // state, rejected, accepted, debit, debit seen, credit, debit of another amount
            (
                S::Due,
                Break(C::NeverSent),
                Break(C::NeverSent),
                Break(C::NeverSent),
                Break(C::NeverSent),
                Break(C::NeverSent),
            ),
            (
                S::Sent,
                To(S::Rejected),
                To(S::Accepted),
                To(S::Booked),
                To(S::Booked),
                Break(C::ReturnedUnbooked),
            ),
            (S::Accepted, To(S::Rejected), Stay, To(S::Booked), To(S::Booked), Break(C::ReturnedUnbooked)),
            (S::Booked, Break(C::RejectedAfterBooking), Stay, Stay, Break(C::BookedTwice), To(S::Returned)),
            (
                S::Rejected,
                Stay,
                Break(C::BookedAfterRejection),
                Break(C::BookedAfterRejection),
                Break(C::BookedAfterRejection),
                Break(C::ReturnedUnbooked),
            ),
            (S::Returned, Stay, Stay, Stay, Break(C::BookedTwice), Stay),
        ];
        for (state, rejected, accepted, debit, again, credit) in rows {
            assert_eq!(on_status(state, Outcome::Rejected), rejected, "{state:?}");
            assert_eq!(on_status(state, Outcome::Settled), accepted, "{state:?}");
            assert_eq!(on_status(state, Outcome::Pending), Stay, "{state:?}");
            assert_eq!(on_movement(state, 5, 5, Direction::Debit, false), debit, "{state:?}");
            assert_eq!(on_movement(state, 5, 5, Direction::Debit, true), again, "{state:?}");
            assert_eq!(on_movement(state, 5, 5, Direction::Credit, false), credit, "{state:?}");
            assert!(matches!(on_movement(state, 5, 6, Direction::Debit, false), Break(_)), "{state:?}");
        }
        for name in State::ALL.map(State::name) {
            assert_eq!(State::from_name(name).map(State::name), Some(name));
        }
        for name in Code::ALL.map(Code::name) {
            assert_eq!(Code::from_name(name).map(Code::name), Some(name));
        }
    }
}
