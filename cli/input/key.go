package input

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/muster-queue/muster/job"
)

// saltedKey is a key of the usual form that depends on the salt too.
func saltedKey(key job.Key, salt string) job.Key {
	sum := sha256.Sum256([]byte(string(key) + "\x00" + salt))
	return job.Key(hex.EncodeToString(sum[:16]))
}
