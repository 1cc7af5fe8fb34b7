//! A line of `/proc/<pid>/stat`, or of one of its threads.

use std::io;

use nix::errno::Errno;

use crate::collect::linux::scan::{fields, number};

/// What is read of it. Times are in ticks.
#[derive(Debug, PartialEq)]
pub(crate) struct Task<'t> {
    pub(crate) id: u64,
    pub(crate) name: &'t [u8],
    /// Processor time of programs and of the kernel.
    pub(crate) ticks: u64,
    /// The same of children that have ended and were waited for.
    pub(crate) ticks_of_children: u64,
    pub(crate) threads: u64,
    /// When it started. With the id it tells one from another that has the id later.
    pub(crate) start: u64,
    /// Of memory.
    pub(crate) pages: u64,
}

impl<'t> Task<'t> {
    pub(crate) fn parse(text: &'t [u8]) -> Option<Self> {
        // The name may hold blanks and parentheses itself.
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let id = number(text.get(..open)?.trim_ascii())?;
        let name = text.get(open + 1..close)?;
        // From the third field of proc(5) on.
        let mut fields = fields(text.get(close + 1..)?.trim_ascii_end());
        let [user, system] = [number(fields.nth(14 - 3)?)?, number(fields.next()?)?];
        let [of_user, of_system] = [number(fields.next()?)?, number(fields.next()?)?];
        let threads = number(fields.nth(20 - 17 - 1)?)?;
        let start = number(fields.nth(22 - 20 - 1)?)?;
        let pages = number(fields.nth(24 - 22 - 1)?)?;
        Some(Self {
            id,
            name,
            ticks: user.saturating_add(system),
            ticks_of_children: of_user.saturating_add(of_system),
            threads,
            start,
            pages,
        })
    }
}

/// Whether the error says that there is no such process or thread: any more, if it was listed.
pub(crate) fn has_ended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ESRCH as i32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_counted_from_behind_the_name() {
        let line =
            b"27769 (a) b (c\n) R 27762 27762 10579 0 -1 4194304 104 0 0 0 11 22 33 44 20 0 3 0 \
            1228881 2998272 417 18446744073709551615 1 2 0 0\n";
        let expected = Task {
            id: 27_769,
            name: b"a) b (c\n",
            ticks: 33,
            ticks_of_children: 77,
            threads: 3,
            start: 1_228_881,
            pages: 417,
        };
        assert_eq!(Task::parse(line), Some(expected));
        assert_eq!(Task::parse(line.split_at(70).0), None);
        assert_eq!(Task::parse(b")1 ("), None);
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "1 \\([a-z)( ]{0,5}\\)? R( [0-9]{1,21}){0,30}")
        {
            let _ = (Task::parse(&bytes), Task::parse(text.as_bytes()));
        }
    }
}
