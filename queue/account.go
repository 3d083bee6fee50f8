package queue

// SetAccount says who pays for jobs that name no account, in queues that name none.
func (s *State) SetAccount(name string) { s.meta.Account = name }
