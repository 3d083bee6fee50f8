package pebble

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/job"
)

// blobs are files named by the SHA-256 of their content. A file is durable
// before the commit that names it, and is deleted some time after the last
// record that names it.
type blobs struct {
	fs  vfs.FS
	dir string

	mu sync.Mutex
	// held counts the commits under way that name a digest; named has those that
	// were held since the running sweep began.
	held  map[string]int
	named map[string]bool // nil while no sweep runs
	dirs  map[string]bool // subdirectories known to be there

	sweep chan struct{} // asks for a sweep; holds one
}

const digestLen = 2 * sha256.Size

func newBlobs(fs vfs.FS, dir string) *blobs {
	return &blobs{fs: fs, dir: dir, held: map[string]int{}, dirs: map[string]bool{}, sweep: make(chan struct{}, 1)}
}

func (b *blobs) path(digest string) string { return b.fs.PathJoin(b.dir, digest[:2], digest) }

// put stores a body in its file, unless it is there, and holds it until drop.
// The digest is checked if one is given.
func (b *blobs) put(body []byte, digest string) (string, error) {
	sum := sha256.Sum256(body)
	is := hex.EncodeToString(sum[:])
	if digest != "" && digest != is {
		return "", job.Errorf(job.Invalid, "blob %s: its content has digest %s", digest, is)
	}
	b.hold(is)
	if err := b.write(is, body); err != nil {
		b.drop(is)
		return "", job.Wrap(osError(err), "write blob", is)
	}
	return is, nil
}

// hold keeps a sweep from deleting a digest.
func (b *blobs) hold(digest string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[digest]++
	if b.named != nil {
		b.named[digest] = true
	}
}

func (b *blobs) drop(digest string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[digest]--; b.held[digest] == 0 {
		delete(b.held, digest)
	}
}

// write writes a file that is not there, or is there with another size.
func (b *blobs) write(digest string, body []byte) error {
	if info, err := b.fs.Stat(b.path(digest)); err == nil && info.Size() == int64(len(body)) {
		return nil
	}
	sub := b.fs.PathDir(b.path(digest))
	b.mu.Lock()
	known := b.dirs[sub]
	b.mu.Unlock()
	if !known {
		if err := makeDir(b.fs, sub); err != nil {
			return err
		}
		b.mu.Lock()
		b.dirs[sub] = true
		b.mu.Unlock()
	}
	return writeFile(b.fs, b.path(digest), body)
}

// get reads a file and checks it.
func (b *blobs) get(digest string) ([]byte, error) {
	if len(digest) != digestLen {
		return nil, damaged(b.fs.PathDir(b.dir), fmt.Errorf("a record names the blob %q", digest))
	}
	body, err := readFile(b.fs, b.path(digest))
	if isNotExist(err) {
		return nil, damaged(b.fs.PathDir(b.dir), fmt.Errorf("blob %s is missing", digest))
	}
	if err != nil {
		return nil, osError(err)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != digest {
		return nil, damaged(b.fs.PathDir(b.dir), fmt.Errorf("the content of blob %s is not what was stored", digest))
	}
	return body, nil
}

// files are the digests that have a file.
func (b *blobs) files() ([]string, error) {
	subs, err := list(b.fs, b.dir)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, sub := range subs {
		names, err := list(b.fs, b.fs.PathJoin(b.dir, sub))
		if err != nil {
			return nil, err
		}
		all = append(all, names...)
	}
	return all, nil
}

// sweepSoon asks for unreferenced files to be deleted some time.
func (b *blobs) sweepSoon() {
	select {
	case b.sweep <- struct{}{}:
	default:
	}
}

// collect deletes the files that nothing refers to: neither a record, as refs
// tells, nor a commit under way.
func (b *blobs) collect(refs func() (map[string]bool, error)) error {
	files, err := b.files()
	if err != nil || len(files) == 0 {
		return err
	}
	b.mu.Lock()
	b.named = make(map[string]bool, len(b.held))
	for digest := range b.held {
		b.named[digest] = true
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.named = nil
		b.mu.Unlock()
	}()
	used, err := refs()
	if err != nil {
		return err
	}
	for _, name := range files {
		if !used[name] {
			err = errors.Join(err, b.remove(name))
		}
	}
	return err
}

// remove deletes a file unless a commit named it since the sweep began.
func (b *blobs) remove(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.named[name] {
		return nil
	}
	if len(name) != digestLen {
		name = name[:min(len(name), digestLen)] // what a crash left of a write
		if len(name) < digestLen || b.named[name] {
			return nil
		}
		return removeIfThere(b.fs, b.path(name)+".tmp")
	}
	return removeIfThere(b.fs, b.path(name))
}

// sweeper deletes unreferenced files some time after it was asked to.
func (s *Store) sweeper() {
	for {
		select {
		case <-s.blobs.sweep:
		case <-s.quit:
			return
		}
		timer := time.NewTimer(s.cfg.SweepAfter)
		select {
		case <-timer.C:
		case <-s.quit:
			timer.Stop()
			return
		}
		if err := s.blobs.collect(s.blobRefs); err != nil && !job.IsKind(err, job.Unavailable) {
			s.cfg.Log.Error("could not delete unreferenced blobs", "store", s.dir, "error", err)
		}
	}
}
