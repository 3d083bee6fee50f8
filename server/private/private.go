// Package private writes files that only their owner can read: tokens, keys, and
// where they are good. Package server and those below it call it.
package private

import "github.com/google/renameio/v2"

// WriteFile replaces a file as a whole; whoever reads it sees the old or the new
// one. Whatever permissions the old one had, the new one is its owner's only.
func WriteFile(path string, b []byte) error {
	f, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // nothing is left to do after the replacement
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
