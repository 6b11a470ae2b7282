//! A map that forgets: entries expire, and the oldest make room when it is full.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// At most `limit` entries, each until its time.
#[derive(Debug)]
pub struct Expiring<K, V> {
    limit: usize,
    /// Boxed, since a table has room for many more than are in it.
    entries: HashMap<K, Box<V>>,
    /// Keys in the order in which they came, with the second in which each expires.
    order: VecDeque<(i64, K)>,
}

impl<K: Clone + Eq + Hash, V> Expiring<K, V> {
    /// An empty map.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Adds an entry that nobody needs after `expires`; false if the key is there already.
    pub fn insert(&mut self, now: i64, expires: i64, key: K, value: V) -> bool {
        while self
            .order
            .front()
            .is_some_and(|(expires, _)| *expires < now || self.order.len() >= self.limit)
        {
            if let Some((_, key)) = self.order.pop_front() {
                self.entries.remove(&key);
            }
        }
        if self.entries.contains_key(&key) {
            return false;
        }
        self.order.push_back((expires, key.clone()));
        self.entries.insert(key, Box::new(value));
        true
    }

    /// The entry of this key.
    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key).map(Box::as_mut)
    }

    /// All entries, in no order.
    pub fn values(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().map(Box::as_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_and_the_expired_make_room() {
        let mut map = Expiring::<String, _>::new(2);
        assert!(
            map.insert(0, 10, "a".into(), 1)
                && map.insert(0, 10, "b".into(), 2)
                && !map.insert(0, 10, "b".into(), 3)
                || map.get("a").is_none()
        );
        assert!(map.insert(0, 20, "c".into(), 4));
        assert_eq!(map.get("a"), None);
        assert!(map.insert(15, 30, "d".into(), 5));
        assert_eq!(
            (
                map.get("c").copied(),
                map.get("d").copied(),
                map.values().count()
            ),
            (Some(4), Some(5), 2)
        );
    }
}
