//! Must not compile: the facade wants a description beside a unit.

fn main() {
    instr::counter!(unit: instr::Unit::Bytes, "sent_bytes_total").increment(1);
}
