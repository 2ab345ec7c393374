//! Every refusal before launch: all problems at once, each with its place, why and what to do.
