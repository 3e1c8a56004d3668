//! A build as a value: phases, statuses, decisions; pure.
