package engine

import "time"

func clock() time.Time { return time.Now() }
