package job

// pairs writes the stored form of a job, see cbor.go. Every field is here.
func (j *Job) pairs(p *pairs) {
	p.text(1, j.Queue)
	p.text(2, string(j.Key))
	if j.Command != nil {
		in := p.open(3)
		j.Command.pairs(&in)
		p.close(&in, true)
	}
	p.bytes(4, j.Data)
	p.text(5, j.Group)
	p.text(6, j.Kind)
	p.text(7, j.Account)
	p.float(8, j.Priority)
	p.resources(9, j.Needs)
	p.number(10, int64(j.Time))
	p.number(11, int64(j.Override))
	p.texts(12, j.Labels)
	p.texts(13, j.Prefer)
	if len(j.Limits) > 0 {
		p.other(14, j.Limits)
	}
	if j.Retries != nil {
		p.key(15)
		p.b = appendNumber(p.b, int64(*j.Retries))
	}
	if j.Backoff != nil {
		p.other(16, j.Backoff)
	}
	p.number(17, int64(j.NoRetryAfter))
	p.number(18, int64(j.OnLost))
	p.flag(19, j.NotPreemptible)
	p.time(20, j.NotBefore)
	p.texts(21, j.DepGroups)
	if len(j.Dependencies) > 0 {
		p.other(22, j.Dependencies)
	}
	p.flag(23, j.Wait)
	p.number(24, int64(j.Lease))
	p.text(25, j.Submitter)
}

func (c *Command) pairs(p *pairs) {
	p.texts(1, c.Argv)
	p.text(2, c.Line)
	p.text(3, c.Shell)
	p.text(4, c.Dir)
	p.flag(5, c.DirGiven)
	p.flag(6, c.ChangeHome)
	p.text(7, c.EnvID)
	p.texts(8, c.Env)
	p.text(9, c.User)
	p.text(10, c.UnixGroup)
	p.text(11, c.Image)
	p.text(12, c.Runtime)
	p.texts(13, c.ContainerMounts)
	p.text(14, c.MonitorContainer)
	p.texts(15, c.Modules)
	if len(c.Mounts) > 0 {
		p.other(16, c.Mounts)
	}
	if len(c.Inputs) > 0 {
		p.other(17, c.Inputs)
	}
	if len(c.Outputs) > 0 {
		p.other(18, c.Outputs)
	}
	c.behaviours(p)
	p.text(22, c.Emulate)
	p.number(23, int64(c.Grace))
	p.number(24, int64(c.Keep))
	p.flag(25, c.Spool)
	if len(c.PlacementOptions) > 0 {
		p.other(26, c.PlacementOptions)
	}
	if c.Batch != nil {
		p.other(27, c.Batch)
	}
	p.texts(28, c.EnvUnset)
	if len(c.Secrets) > 0 {
		p.other(29, c.Secrets)
	}
}

func (c *Command) behaviours(p *pairs) {
	for i, list := range [...][]Behaviour{c.OnSuccess, c.OnFailure, c.OnExit} {
		if len(list) > 0 {
			p.other(byte(19+i), list)
		}
	}
}

// pairs writes the stored form of an attempt. Every field is here.
func (a *Attempt) pairs(p *pairs) {
	p.key(1)
	p.b = appendHead(p.b, cborMap, 2)
	p.b = appendNumber(appendText(p.b, "Epoch"), int64(a.ID.Epoch))
	p.b = appendHead(appendText(p.b, "N"), cborUint, a.ID.N)
	p.key(2)
	p.b = appendNumber(p.b, int64(a.Number))
	p.number(3, int64(a.Version))
	p.text(4, a.Worker)
	p.text(5, a.Host)
	p.time(6, a.Granted)
	p.time(7, a.Started)
	p.time(8, a.Ended)
	p.number(9, int64(a.Outcome))
	in := p.open(10)
	a.Result.pairs(&in)
	p.close(&in, false)
	p.bytes(11, a.Data)
	p.resources(12, a.Asked)
	p.number(13, int64(a.Time))
}

func (r *Result) pairs(p *pairs) {
	p.flag(1, r.Exited)
	p.number(2, int64(r.ExitCode))
	p.text(3, r.Signal)
	p.flag(4, r.Core)
	p.number(5, int64(r.Reason))
	p.text(6, r.Message)
	p.number(7, r.PeakMemory)
	p.number(8, r.PeakDisk)
	p.number(9, int64(r.CPUTime))
	p.number(10, int64(r.WallTime))
	p.number(11, r.OOMKills)
	p.number(12, int64(r.Pid))
	p.text(13, r.Dir)
	for i, o := range [...]*Output{&r.Stdout, &r.Stderr} {
		in := p.open(byte(14 + i))
		o.pairs(&in)
		p.close(&in, false)
	}
	p.texts(16, r.Log)
}

func (o *Output) pairs(p *pairs) {
	p.bytes(1, o.Head)
	p.bytes(2, o.Tail)
	p.number(3, o.Omitted)
	p.text(4, o.Path)
}
