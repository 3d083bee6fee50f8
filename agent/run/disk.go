package run

import (
	"io/fs"
	"path/filepath"
	"syscall"
)

// used is what the attempt's own directory occupies on disk, in bytes: blocks,
// so that sparse files count for what they are. A directory that was given is
// shared with others and not measured.
func (d *workdir) used() int64 {
	if !d.unique() {
		return 0
	}
	if d.empty = empty(d.cwd) && empty(d.tmp); d.empty {
		return 0
	}
	return usage(d.cwd) + usage(d.tmp)
}

func usage(root string) int64 {
	var sum int64
	seen := map[uint64]bool{} // inodes with several names count once
	_ = filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // a file that vanished meanwhile occupies nothing
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Nlink > 1 && seen[st.Ino] {
			return nil
		}
		if st.Nlink > 1 {
			seen[st.Ino] = true
		}
		sum += st.Blocks * 512
		return nil
	})
	return sum
}

// little is the room below which a volume counts as full: no useful write fits.
const little = 64 << 10

// full names the directory of the attempt whose volume has no room left, if any.
func (d *workdir) full() string {
	for _, dir := range []string{d.cwd, d.tmp} {
		var st syscall.Statfs_t
		if dir == "" || syscall.Statfs(dir, &st) != nil {
			continue
		}
		if st.Blocks > 0 && st.Bavail*uint64(st.Bsize) < little || st.Files > 0 && st.Ffree == 0 {
			return dir
		}
	}
	return ""
}
