//! What a person sees while a run goes: progress, task results, recap; or JSON lines.
