-- Decisions of the days that alerts look at, whatever the biller.
CREATE INDEX operator_break_decision_since ON operator_break_decision (day, biller);
