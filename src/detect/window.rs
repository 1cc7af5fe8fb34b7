//! The last samples in order of size, exactly.
//!
//! A treap (C. R. Aragon, R. Seidel, "Randomized search trees", FOCS 1989) over the places of a
//! ring: adding a sample, dropping the oldest and asking for the k-th smallest take O(log n) each.
//! A sorted array would move half of itself per sample; two heaps give a median but no quartiles.

use super::Tape;

/// A sliding window of numbers that knows its order statistics.
#[derive(Clone, Debug)]
pub(super) struct Window {
    size: usize,
    /// Place 0 stands for "no node" and is never read for its value.
    nodes: Vec<Node>,
    root: u32,
    oldest: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    value: f64,
    left: u32,
    right: u32,
    count: u32,
}

/// The node that every missing one looks like.
const NONE: Node = Node { value: 0.0, left: 0, right: 0, count: 0 };

impl Window {
    /// Of at least 10 and at most 65,536 samples.
    pub(super) fn new(size: usize) -> Self {
        let size = size.clamp(10, 1 << 16);
        let mut nodes = Vec::with_capacity(size + 1);
        nodes.push(NONE);
        Self { size, nodes, root: 0, oldest: 1 }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len() - 1
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }

    /// Adds a number, and forgets the oldest if the window is full.
    pub(super) fn push(&mut self, value: f64) {
        let place = if self.len() < self.size {
            self.nodes.push(NONE);
            self.len()
        } else {
            let place = self.oldest;
            self.remove(place as u32);
            self.oldest = place % self.size + 1;
            place
        };
        if let Some(node) = self.nodes.get_mut(place) {
            *node = Node { value, count: 1, ..NONE };
        }
        self.insert(place as u32);
    }

    /// The number with `rank` smaller ones before it; 0 in an empty window.
    pub(super) fn smallest(&self, rank: usize) -> f64 {
        let (mut at, mut rank) = (self.root, rank.min(self.len().saturating_sub(1)) as u32);
        loop {
            let node = self.node(at);
            let before = self.node(node.left).count;
            match rank.cmp(&before) {
                _ if node.count == 0 => return node.value,
                std::cmp::Ordering::Less => at = node.left,
                std::cmp::Ordering::Equal => return node.value,
                std::cmp::Ordering::Greater => {
                    rank -= before + 1;
                    at = node.right;
                }
            }
        }
    }

    /// Between the two nearest ranks, linearly.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let rank = share * self.len().saturating_sub(1) as f64;
        let below = self.smallest(rank as usize);
        match rank.fract() {
            0.0 => below,
            rest => below + rest * (self.smallest(rank as usize + 1) - below),
        }
    }

    /// The median of the distances to `center`: the smallest distance that half of the numbers lie
    /// within, found by comparing the ranks on both sides of the center, in O(log² n).
    pub(super) fn median_distance(&self, center: f64) -> f64 {
        let below = self.rank(center);
        let above = self.len() - below;
        if self.len() == 0 {
            return 0.0;
        }
        let wanted = (self.len() - 1) / 2;
        // Left distances are `center - smallest(below - 1 - i)`, right ones `smallest(below + i) -
        // center`; both ascend with i. How many of the nearest come from the left?
        let left = |i: usize| center - self.smallest(below - 1 - i);
        let right = |i: usize| self.smallest(below + i) - center;
        let (mut least, mut most) = ((wanted + 1).saturating_sub(above), below.min(wanted + 1));
        while least < most {
            let from_left = (least + most) / 2;
            let from_right = wanted - from_left;
            match from_right >= above || left(from_left) <= right(from_right) {
                true => least = from_left + 1,
                false => most = from_left,
            }
        }
        let from_right = wanted + 1 - least;
        let last_left = if least > 0 { left(least - 1) } else { 0.0 };
        let last_right = if from_right > 0 { right(from_right - 1) } else { 0.0 };
        last_left.max(last_right).max(0.0)
    }

    /// How many numbers are smaller than `value`.
    fn rank(&self, value: f64) -> usize {
        let (mut at, mut rank) = (self.root, 0);
        while at != 0 {
            let node = self.node(at);
            if node.value < value {
                rank += self.node(node.left).count as usize + 1;
                at = node.right;
            } else {
                at = node.left;
            }
        }
        rank
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        let mut count = self.len();
        tape.index(&mut count, self.size + 1);
        tape.index(&mut self.oldest, self.size + 1);
        self.nodes.resize(count + 1, NONE);
        self.nodes.iter_mut().skip(1).for_each(|node| tape.number(&mut node.value));
        // The tree is made anew, so that no state, however it was damaged, makes a bad one.
        self.root = 0;
        self.oldest = self.oldest.max(1);
        for place in 1..=count {
            if let Some(node) = self.nodes.get_mut(place) {
                *node = Node { value: node.value, count: 1, ..NONE };
            }
            self.insert(place as u32);
        }
    }

    fn node(&self, at: u32) -> Node {
        self.nodes.get(at as usize).copied().unwrap_or(NONE)
    }

    fn insert(&mut self, place: u32) {
        let (before, after) = self.split(self.root, (self.node(place).value, place));
        let left = self.merge(before, place);
        self.root = self.merge(left, after);
    }

    fn remove(&mut self, place: u32) {
        let value = self.node(place).value;
        let (before, rest) = self.split(self.root, (value, place));
        let (_, after) = self.split(rest, (value, place + 1));
        self.root = self.merge(before, after);
    }

    /// What sorts before the key, and the rest. As deep as the tree: O(log n).
    fn split(&mut self, at: u32, key: (f64, u32)) -> (u32, u32) {
        if at == 0 {
            return (0, 0);
        }
        let node = self.node(at);
        let order = node.value.total_cmp(&key.0).then(at.cmp(&key.1));
        if order.is_lt() {
            let (before, after) = self.split(node.right, key);
            self.relink(at, node.left, before);
            (at, after)
        } else {
            let (before, after) = self.split(node.left, key);
            self.relink(at, after, node.right);
            (before, at)
        }
    }

    /// One tree of two, all of the first before all of the second.
    fn merge(&mut self, first: u32, second: u32) -> u32 {
        if first == 0 || second == 0 {
            return first.max(second);
        }
        if priority(first) > priority(second) {
            let node = self.node(first);
            let right = self.merge(node.right, second);
            self.relink(first, node.left, right);
            first
        } else {
            let node = self.node(second);
            let left = self.merge(first, node.left);
            self.relink(second, left, node.right);
            second
        }
    }

    fn relink(&mut self, at: u32, left: u32, right: u32) {
        let count = 1 + self.node(left).count + self.node(right).count;
        if let Some(node) = self.nodes.get_mut(at as usize) {
            (node.left, node.right, node.count) = (left, right, count);
        }
    }
}

/// Which of two nodes is nearer to the root: a hash of the place, the same in every run.
fn priority(place: u32) -> u64 {
    let mixed = (u64::from(place) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by sorting a copy.
    struct Naive(Vec<f64>, usize);

    impl Naive {
        fn push(&mut self, value: f64) {
            self.0.push(value);
            if self.0.len() > self.1 {
                self.0.remove(0);
            }
        }

        fn sorted(&self, map: impl Fn(f64) -> f64) -> Vec<f64> {
            let mut sorted: Vec<f64> = self.0.iter().copied().map(map).collect();
            sorted.sort_by(f64::total_cmp);
            sorted
        }
    }

    proptest! {
        #[test]
        fn agrees_with_sorting(
            values in prop::collection::vec(prop_oneof![-5.0..5.0f64, (-3..3i32).prop_map(f64::from)], 1..200),
            size in 10usize..40,
            center in -6.0..6.0f64,
        ) {
            let (mut window, mut naive) = (Window::new(size), Naive(Vec::new(), size));
            for value in values {
                window.push(value);
                naive.push(value);
                let sorted = naive.sorted(|x| x);
                prop_assert_eq!(window.len(), sorted.len());
                for (rank, expected) in sorted.iter().enumerate() {
                    prop_assert_eq!(window.smallest(rank), *expected);
                }
                let distances = naive.sorted(|x| (x - center).abs());
                let median = distances[(distances.len() - 1) / 2];
                prop_assert!((window.median_distance(center) - median).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_tree_stays_flat_whatever_the_order() {
        let mut window = Window::new(4096);
        (0..10_000).for_each(|i| window.push(f64::from(i)));
        fn depth(window: &Window, at: u32) -> usize {
            if at == 0 {
                return 0;
            }
            let node = window.node(at);
            1 + depth(window, node.left).max(depth(window, node.right))
        }
        assert!(depth(&window, window.root) < 48);
    }

    #[test]
    fn an_empty_window_answers_zero() {
        let window = Window::new(10);
        assert_eq!(
            (window.smallest(3), window.quantile(0.5), window.median_distance(1.0)),
            (0.0, 0.0, 0.0)
        );
    }
}
