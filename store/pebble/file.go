package pebble

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// category is what the store's own files are accounted under.
const category vfs.DiskWriteCategory = "muster"

// readFile reads a whole file.
func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// writeFile puts a file in its place durably and at once: whoever looks sees
// the old content or the whole new one, after a crash too.
func writeFile(fs vfs.FS, name string, content []byte) error {
	temp := name + ".tmp"
	f, err := fs.Create(temp, category)
	if err != nil {
		return err
	}
	// A file system may change what it is given to write.
	_, err = f.Write(bytes.Clone(content))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fs.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(fs, temp))
	}
	return syncDir(fs, fs.PathDir(name))
}

// syncDir makes the entries of a directory durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDir makes a directory and what is missing above it, durably.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil || !isNotExist(err) {
		return err
	}
	parent := fs.PathDir(dir)
	if parent != dir {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(fs, parent)
}

// list is the names in a directory; one that is absent has none.
func list(fs vfs.FS, dir string) ([]string, error) {
	names, err := fs.List(dir)
	if isNotExist(err) {
		return nil, nil
	}
	return names, err
}

func exists(fs vfs.FS, name string) (bool, error) {
	_, err := fs.Stat(name)
	if isNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

func removeIfThere(fs vfs.FS, name string) error {
	if err := fs.Remove(name); !isNotExist(err) {
		return err
	}
	return nil
}

func isNotExist(err error) bool { return errors.Is(err, os.ErrNotExist) }

// linkOrCopy makes to the same file as from, by a hard link where the file
// system can, else by a durable copy.
func linkOrCopy(fs vfs.FS, from, to string) error {
	if err := fs.Link(from, to); err == nil {
		return nil
	}
	return vfs.CopyAcrossFS(fs, from, fs, to)
}
