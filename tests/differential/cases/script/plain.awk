BEGIN { print "awk" }
