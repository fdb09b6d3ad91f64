//! A bounded queue of things that happen later, ordered by the time they are due.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Memory that each entry is counted with beside the bytes it carries.
const ENTRY_BYTES: usize = 64;

/// Entries ordered by due time; entries due at the same time keep their order of arrival.
#[derive(Debug)]
pub struct DelayQueue<T> {
    heap: BinaryHeap<Entry<T>>,
    pushed: u64,
    used_bytes: usize,
    limit_bytes: usize,
}

#[derive(Debug)]
struct Entry<T> {
    due_s: f64,
    order: u64,
    bytes: usize,
    item: T,
}

impl<T> DelayQueue<T> {
    /// A queue that holds at most `limit_bytes`, its own overhead included.
    pub fn new(limit_bytes: usize) -> Self {
        Self { heap: BinaryHeap::new(), pushed: 0, used_bytes: 0, limit_bytes }
    }

    /// True when `count` more entries of `bytes` each would fit.
    pub fn has_room_for(&self, count: usize, bytes: usize) -> bool {
        let wanted = count.saturating_mul(bytes.saturating_add(ENTRY_BYTES));
        self.used_bytes.saturating_add(wanted) <= self.limit_bytes
    }

    /// Adds an item that carries `bytes` and is due at `due_s` (seconds, any one time base).
    ///
    /// # Errors
    /// Gives the item back when the queue is full.
    pub fn push(&mut self, due_s: f64, bytes: usize, item: T) -> Result<(), T> {
        if !self.has_room_for(1, bytes) {
            return Err(item);
        }
        let bytes = bytes + ENTRY_BYTES;
        self.used_bytes += bytes;
        self.heap.push(Entry { due_s, order: self.pushed, bytes, item });
        self.pushed += 1;
        Ok(())
    }

    /// When the next item is due; `None` when the queue is empty.
    pub fn next_due_s(&self) -> Option<f64> {
        self.heap.peek().map(|entry| entry.due_s)
    }

    /// Takes the next item that is due at or before `now_s`.
    pub fn pop_due(&mut self, now_s: f64) -> Option<T> {
        if self.next_due_s()? > now_s {
            return None;
        }
        let entry = self.heap.pop()?;
        self.used_bytes -= entry.bytes;
        Some(entry.item)
    }
}

impl<T> Ord for Entry<T> {
    /// The heap gives the greatest first, so the earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.due_s.total_cmp(&self.due_s).then(other.order.cmp(&self.order))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let mut queue = DelayQueue::new(2 * (ENTRY_BYTES + 10));
        assert_eq!(queue.push(1.0, 10, 'a'), Ok(()));
        assert_eq!(queue.push(2.0, 10, 'b'), Ok(()));
        assert_eq!(queue.push(3.0, 10, 'c'), Err('c'));
        assert_eq!(queue.pop_due(0.5), None);
        assert_eq!(queue.pop_due(1.0), Some('a'));
        assert_eq!(queue.push(3.0, 10, 'c'), Ok(()));
    }

    proptest! {
        #[test]
        fn items_leave_by_due_time_then_by_arrival(due in proptest::collection::vec(0_u8..10, 0..50)) {
            let mut queue = DelayQueue::new(1 << 20);
            for (index, due_s) in due.iter().enumerate() {
                prop_assert!(queue.push(f64::from(*due_s), 0, (*due_s, index)).is_ok());
            }
            let mut left = Vec::new();
            while let Some(item) = queue.pop_due(f64::INFINITY) {
                left.push(item);
            }
            prop_assert!(left.is_sorted());
            prop_assert_eq!(left.len(), due.len());
            prop_assert!(queue.has_room_for(1, (1 << 20) - ENTRY_BYTES));
        }
    }
}
