//! The parts of Python that templates can see: how values look as text, compare, add up and are formatted.

pub(super) mod arithmetic;
pub(super) mod compare;
pub(super) mod format;
pub(super) mod percent;
pub(super) mod regex;
pub(super) mod repr;
pub(super) mod text;
