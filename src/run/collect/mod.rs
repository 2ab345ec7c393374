//! What comes home: logs, results, manifests, the receipt.
