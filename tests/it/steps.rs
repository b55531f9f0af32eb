//! The steps against a world in memory: made, proved, mended, refused, removed; and lost answers.
