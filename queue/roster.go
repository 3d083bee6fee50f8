package queue

import "github.com/muster-queue/muster/job"

// families are the names of workers by the names of their parents; those without
// are in none.
type families map[string]*names

func (f families) put(parent, name string) {
	if parent == "" {
		return
	}
	if f[parent] == nil {
		f[parent] = &names{}
	}
	f[parent].put(name)
}

func (f families) remove(parent, name string) {
	if n := f[parent]; n != nil {
		if n.remove(name); len(n.blocks) == 0 {
			delete(f, parent)
		}
	}
}

func (f families) move(name, from, to string) {
	if from != to {
		f.remove(from, name)
		f.put(to, name)
	}
}

// activate brings the list of active workers in line with what the worker said
// last, and the time.
func (s *State) activate(slot uint32, w *worker) {
	on := !w.Forgotten && !w.Left && !w.Agent && job.TimeOf(w.Expires) > s.now
	if on != w.active {
		w.active = on
		if on {
			s.active.put(w.Name)
		} else {
			s.active.remove(w.Name)
		}
	}
	if on {
		s.wake(slot, w)
	}
}

// WorkerNamed finds a worker by name, also one that left and is remembered.
func (s *State) WorkerNamed(name string) (WorkerInfo, bool) {
	if slot, ok := s.workers.byKey[name]; ok && !s.workers.rows[slot].Forgotten {
		return s.info(s.workers.rows[slot]), true
	}
	return WorkerInfo{}, false
}

// WorkerFilter selects workers.
type WorkerFilter struct {
	// Parent, if not empty, is the one whose children are meant.
	Parent string
	// Active leaves out those that are not; Left has those listed that left.
	Active, Left bool
}

// Workers lists at most limit workers by name, those after the name after.
func (s *State) Workers(f WorkerFilter, after string, limit int) []WorkerInfo {
	from := &s.workNames
	switch {
	case f.Parent != "":
		if from = s.children[f.Parent]; from == nil {
			return nil
		}
	case f.Active:
		from = &s.active
	}
	var list []WorkerInfo
	for len(list) < limit {
		page := from.after(after, limit-len(list))
		if len(page) == 0 {
			break
		}
		for _, name := range page {
			if w, ok := s.WorkerNamed(name); ok && (w.Active || !f.Active) && (!w.Left || f.Left) {
				list = append(list, w)
			}
		}
		after = page[len(page)-1]
	}
	return list
}
