//! Intrusive doubly linked lists through the slots themselves: push, pop and remove are O(1) and need no memory.

use super::broken;

/// Index + 1 of a slot, 0 for none: so that an empty slot is all zeros and a `static` lies in `.bss`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Link(u16);

impl Link {
    pub(crate) const NONE: Self = Self(0);

    #[allow(clippy::cast_possible_truncation, reason = "slabs hold at most 65,535 slots")]
    pub(crate) const fn to(index: usize) -> Self {
        Self(index as u16 + 1)
    }

    pub(crate) const fn get(self) -> Option<usize> {
        if self.0 == 0 { None } else { Some(self.0 as usize - 1) }
    }

    pub(crate) const fn is_some(self) -> bool {
        self.0 != 0
    }
}

/// The two neighbours of a slot in one list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Links {
    prev: Link,
    next: Link,
}

impl Links {
    pub(crate) const EMPTY: Self = Self { prev: Link::NONE, next: Link::NONE };
}

/// A slot that can be in several lists at once, one for each of its `Links`.
pub(crate) trait Linked {
    fn links(&self, which: usize) -> Links;
    fn links_mut(&mut self, which: usize) -> &mut Links;
}

/// A list's ends. Which of a slot's links it runs through is the caller's to say, always the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct List {
    head: Link,
    tail: Link,
}

impl List {
    pub(crate) const EMPTY: Self = Self { head: Link::NONE, tail: Link::NONE };

    pub(crate) const fn is_empty(&self) -> bool {
        !self.head.is_some()
    }

    pub(crate) const fn head(&self) -> Option<usize> {
        self.head.get()
    }

    pub(crate) const fn first(&self) -> Link {
        self.head
    }

    /// The last slot, as a place to insert behind.
    pub(crate) const fn tail(&self) -> Link {
        self.tail
    }

    pub(crate) fn push_back<T: Linked>(&mut self, slots: &mut [T], which: usize, index: usize) {
        self.insert_after(slots, which, self.tail, index);
    }

    pub(crate) fn push_front<T: Linked>(&mut self, slots: &mut [T], which: usize, index: usize) {
        self.insert_after(slots, which, Link::NONE, index);
    }

    /// Inserts `index` behind `place`; `Link::NONE` is the front.
    pub(crate) fn insert_after<T: Linked>(
        &mut self,
        slots: &mut [T],
        which: usize,
        place: Link,
        index: usize,
    ) {
        let next = match place.get() {
            Some(place) => slot(slots, place).links(which).next,
            None => self.head,
        };
        *slot(slots, index).links_mut(which) = Links { prev: place, next };
        self.set_next(slots, which, place, Link::to(index));
        self.set_prev(slots, which, next, Link::to(index));
    }

    /// Takes `index` out, which must be in this list.
    pub(crate) fn remove<T: Linked>(&mut self, slots: &mut [T], which: usize, index: usize) {
        let Links { prev, next } = slot(slots, index).links(which);
        *slot(slots, index).links_mut(which) = Links::EMPTY;
        self.set_next(slots, which, prev, next);
        self.set_prev(slots, which, next, prev);
    }

    pub(crate) fn pop_front<T: Linked>(&mut self, slots: &mut [T], which: usize) -> Option<usize> {
        let first = self.head.get()?;
        self.remove(slots, which, first);
        Some(first)
    }

    fn set_next<T: Linked>(&mut self, slots: &mut [T], which: usize, place: Link, next: Link) {
        match place.get() {
            Some(place) => slot(slots, place).links_mut(which).next = next,
            None => self.head = next,
        }
    }

    fn set_prev<T: Linked>(&mut self, slots: &mut [T], which: usize, place: Link, prev: Link) {
        match place.get() {
            Some(place) => slot(slots, place).links_mut(which).prev = prev,
            None => self.tail = prev,
        }
    }
}

/// The slot behind `index` in the list `which`.
pub(crate) fn next<T: Linked>(slots: &[T], which: usize, index: usize) -> Option<usize> {
    following(slots, which, index).get()
}

/// The same as a link.
#[cfg_attr(target_os = "none", inline(never))]
pub(crate) fn following<T: Linked>(slots: &[T], which: usize, index: usize) -> Link {
    slots.get(index).map_or(Link::NONE, |slot| slot.links(which).next)
}

fn slot<T>(slots: &mut [T], index: usize) -> &mut T {
    match slots.get_mut(index) {
        Some(slot) => slot,
        None => broken("a list runs through its slots"),
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    struct Slot([Links; 1]);

    impl Linked for Slot {
        fn links(&self, which: usize) -> Links {
            self.0[which]
        }
        fn links_mut(&mut self, which: usize) -> &mut Links {
            &mut self.0[which]
        }
    }

    fn order(list: &List, slots: &[Slot]) -> Vec<usize> {
        let mut order = Vec::new();
        let mut at = list.head();
        while let Some(index) = at {
            order.push(index);
            at = next(slots, 0, index);
        }
        order
    }

    #[test]
    fn removes_from_the_ends_and_the_middle() {
        let mut slots: Vec<Slot> = (0..5).map(|_| Slot([Links::EMPTY])).collect();
        let mut list = List::EMPTY;
        for index in [3, 1, 4] {
            list.push_back(&mut slots, 0, index);
        }
        list.push_front(&mut slots, 0, 0);
        list.insert_after(&mut slots, 0, Link::to(3), 2);
        assert_eq!(order(&list, &slots), [0, 3, 2, 1, 4]);
        list.remove(&mut slots, 0, 2);
        list.remove(&mut slots, 0, 4);
        assert_eq!(list.pop_front(&mut slots, 0), Some(0));
        list.push_back(&mut slots, 0, 0);
        assert_eq!(order(&list, &slots), [3, 1, 0]);
        for _ in 0..3 {
            assert!(list.pop_front(&mut slots, 0).is_some());
        }
        assert!(list.is_empty());
    }
}
