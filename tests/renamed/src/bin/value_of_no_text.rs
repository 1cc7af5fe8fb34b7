//! Must not compile: a number is no label value; and the error points at this line.

fn main() {
    let code = 200;
    instr::counter!("requests_total", "code" => code).increment(1);
}
