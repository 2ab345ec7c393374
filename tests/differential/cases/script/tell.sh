#!/bin/sh
for word in "$@"; do echo "<$word>"; done
echo "$WORD"
if [ "$1" = x ]; then pwd; fi
