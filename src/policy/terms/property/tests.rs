//! What properties are read as, and which are refused in which words.

use super::*;
