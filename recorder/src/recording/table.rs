//! A table that only grows, to a fixed size, and is read without a lock.

use std::sync::OnceLock;

use parking_lot::Mutex;

/// Entries are found by the number under which they were appended, from 1.
#[derive(Debug)]
pub struct AppendTable<T> {
    slots: Box<[OnceLock<T>]>,
    len: Mutex<usize>,
}

impl<T> AppendTable<T> {
    /// Room for `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self { slots: (0..capacity).map(|_| OnceLock::new()).collect(), len: Mutex::new(0) }
    }

    /// Append what `make` gives, which is told its number; `None` when the table
    /// is full or `make` gives nothing. Appending is serialised, reading is not.
    pub fn append(&self, make: impl FnOnce(u32) -> Option<T>) -> Option<&T> {
        let mut len = self.len.lock();
        let slot = self.slots.get(*len)?;
        let entry = make(u32::try_from(*len + 1).ok()?)?;
        let entry = slot.get_or_init(|| entry);
        *len += 1;
        Some(entry)
    }

    /// The entry of this number.
    pub fn get(&self, number: u32) -> Option<&T> {
        self.slots.get((number as usize).wrapping_sub(1))?.get()
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().map_while(OnceLock::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_start_at_one_and_end_at_the_capacity() {
        let table = AppendTable::new(2);
        assert_eq!(table.append(Some), Some(&1));
        assert_eq!(table.append(|_| None), None);
        assert_eq!(table.append(Some), Some(&2));
        assert_eq!(table.append(Some), None, "full");
        assert_eq!(
            (table.get(0), table.get(1), table.get(2), table.get(3)),
            (None, Some(&1), Some(&2), None)
        );
        assert_eq!(table.iter().copied().collect::<Vec<_>>(), [1, 2]);
    }
}
