package queue

import "slices"

// names keeps names in order, in blocks, so that a page after any name is cheap
// and so is entering one among millions.
type names struct {
	blocks [][]string
}

const maxBlock = 512

func (n *names) block(name string) int {
	i, found := slices.BinarySearchFunc(n.blocks, name, func(b []string, name string) int {
		switch {
		case b[0] < name:
			return -1
		case b[0] > name:
			return 1
		}
		return 0
	})
	if !found && i > 0 {
		i--
	}
	return i
}

func (n *names) put(name string) {
	if len(n.blocks) == 0 {
		n.blocks = append(n.blocks, []string{name})
		return
	}
	b := n.block(name)
	i, found := slices.BinarySearch(n.blocks[b], name)
	if found {
		return
	}
	n.blocks[b] = slices.Insert(n.blocks[b], i, name)
	if full := n.blocks[b]; len(full) > maxBlock {
		half := len(full) / 2
		n.blocks = slices.Insert(n.blocks, b+1, slices.Clone(full[half:]))
		n.blocks[b] = slices.Clip(full[:half])
	}
}

func (n *names) remove(name string) {
	if len(n.blocks) == 0 {
		return
	}
	b := n.block(name)
	i, found := slices.BinarySearch(n.blocks[b], name)
	if !found {
		return
	}
	n.blocks[b] = slices.Delete(n.blocks[b], i, i+1)
	if len(n.blocks[b]) == 0 {
		n.blocks = slices.Delete(n.blocks, b, b+1)
	}
}

// after lists at most limit names that follow name.
func (n *names) after(name string, limit int) []string {
	var page []string
	if len(n.blocks) == 0 {
		return nil
	}
	for b := n.block(name); b < len(n.blocks) && len(page) < limit; b++ {
		for _, x := range n.blocks[b] {
			if x > name && len(page) < limit {
				page = append(page, x)
			}
		}
	}
	return page
}
