//! The playbook's folder as one archive: sorted, without times and owners, so that equal folders are equal bytes.
