package notice

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// Delivery is a piece of news for one notice.
type Delivery struct {
	// ID is the same however often it is sent: receivers tell repeats by it.
	ID     string   `cbor:"1,keyasint"`
	Notice string   `cbor:"2,keyasint"`
	Event  Event    `cbor:"3,keyasint"`
	At     job.Time `cbor:"4,keyasint"`
	Facts  Facts    `cbor:"5,keyasint"`
	// Seq and Version are where the key is to be read, while KeyKnown is not set.
	Seq      job.Seq `cbor:"6,keyasint,omitempty"`
	Version  uint32  `cbor:"7,keyasint,omitempty"`
	KeyKnown bool    `cbor:"8,keyasint,omitempty"`
	// Tries were made; Since is when the first was due, Next when the next is, Error
	// what the last came to.
	Tries int      `cbor:"9,keyasint,omitempty"`
	Since job.Time `cbor:"10,keyasint,omitempty"`
	Next  job.Time `cbor:"11,keyasint,omitempty"`
	Error string   `cbor:"12,keyasint,omitempty"`
}

// Facts are what is told of a job, or of a group.
type Facts struct {
	Namespace string `json:"namespace" cbor:"1,keyasint"`
	Notice    string `json:"notice" cbor:"2,keyasint"`
	Event     string `json:"event" cbor:"3,keyasint"`
	Group     string `json:"group,omitempty" cbor:"4,keyasint,omitempty"`
	Queue     string `json:"queue,omitempty" cbor:"5,keyasint,omitempty"`
	// Key is as in the API; ID a digest of queue and key.
	Key     string `json:"key,omitempty" cbor:"6,keyasint,omitempty"`
	ID      string `json:"id,omitempty" cbor:"7,keyasint,omitempty"`
	Account string `json:"account,omitempty" cbor:"8,keyasint,omitempty"`
	State   string `json:"state,omitempty" cbor:"9,keyasint,omitempty"`
	Reason  string `json:"reason,omitempty" cbor:"10,keyasint,omitempty"`
	// ExitCode is there when an attempt has ended.
	ExitCode *int   `json:"exit_code,omitempty" cbor:"11,keyasint,omitempty"`
	Attempt  uint32 `json:"attempt,omitempty" cbor:"12,keyasint,omitempty"`
	Host     string `json:"host,omitempty" cbor:"13,keyasint,omitempty"`
	Worker   string `json:"worker,omitempty" cbor:"14,keyasint,omitempty"`
	// Times are RFC 3339.
	Started string `json:"started,omitempty" cbor:"15,keyasint,omitempty"`
	Ended   string `json:"ended,omitempty" cbor:"16,keyasint,omitempty"`
	// Counts are the jobs of a group by state.
	Counts map[string]int64 `json:"counts,omitempty" cbor:"17,keyasint,omitempty"`
}

// SetAttempt tells of an attempt that ended.
func (f *Facts) SetAttempt(a *job.Attempt) {
	f.Attempt, f.Worker, f.Host = a.Number, strings.ToValidUTF8(a.Worker, "\uFFFD"), strings.ToValidUTF8(a.Host, "\uFFFD")
	f.Started, f.Ended = Time(job.TimeOf(a.Started)), Time(job.TimeOf(a.Ended))
	if !a.Started.IsZero() {
		f.ExitCode = &a.Result.ExitCode
	}
}

// Place orders deliveries by their notice, and then by their making.
func (d *Delivery) Place() string { return d.Notice + "/" + d.ID }

// body is what is sent.
type body struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      *Facts `json:"data"`
}

// Body is what is sent, in JSON; it is the same at each try.
func (d *Delivery) Body() (string, error) {
	kind := "job." + d.Event.String()
	switch d.Event {
	case GroupEnd:
		kind = "group.end"
	case Test:
		kind = "test"
	}
	b, err := json.Marshal(body{kind, Time(d.At), &d.Facts})
	return string(b), err
}

// Time is a time as deliveries have it.
func Time(t job.Time) string {
	if t == 0 {
		return ""
	}
	return t.Std().Format(time.RFC3339Nano)
}

// JobFor is the job that the notice adds for a delivery, with what is told in its
// environment.
func (n *Notice) JobFor(d *Delivery, body string) *job.Job {
	j := *n.Job
	j.Key = job.Key(d.ID)
	j.Group = HookPrefix + n.Name
	c := *j.Command
	exit := ""
	if d.Facts.ExitCode != nil {
		exit = strconv.Itoa(*d.Facts.ExitCode)
	}
	f := &d.Facts
	c.Env = append([]string(nil), c.Env...)
	for _, v := range [][2]string{
		{"", body}, {"_ID", d.ID}, {"_NAME", d.Notice}, {"_EVENT", f.Event}, {"_NAMESPACE", f.Namespace}, {"_GROUP", f.Group},
		{"_QUEUE", f.Queue}, {"_KEY", f.Key}, {"_STATE", f.State}, {"_REASON", f.Reason}, {"_EXIT_CODE", exit}, {"_HOST", f.Host},
	} {
		// A variable cannot have a NUL in it, nor the keys in which there may be one.
		c.Env = append(c.Env, "MUSTER_NOTICE"+v[0]+"="+strings.ReplaceAll(v[1], "\x00", ""))
	}
	j.Command = &c
	j.Normalise()
	return &j
}

// Secrets to sign with, as Standard Webhooks has them.
const (
	secretPrefix         = "whsec_"
	minSecret, maxSecret = 24, 64
	newSecret            = 32
	signaturePrefix      = "v1,"
	maxSecretText        = 200
)

// NewSecret makes a secret.
func NewSecret() string {
	b := make([]byte, newSecret)
	_, _ = rand.Read(b) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(b)
}

// ParseSecret reads a secret: "whsec_" and 24 to 64 bytes in base64. Errors: Invalid.
func ParseSecret(text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, secretPrefix))
	if err != nil || len(text) > maxSecretText || !strings.HasPrefix(text, secretPrefix) || len(b) < minSecret || len(b) > maxSecret {
		return nil, job.Errorf(job.Invalid, "secret: it is %s and %d to %d bytes in base64; leave it out, and one is made", secretPrefix, minSecret, maxSecret)
	}
	return b, nil
}

// Sign is the signature of a body that is sent under an id at a time.
func Sign(secret []byte, id string, at time.Time, body string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "." + body))
	return signaturePrefix + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Backoff is the pause after a try that failed.
var Backoff = job.Backoff{Base: 5 * time.Second, Jitter: 5 * time.Second, Cap: time.Hour}

// Message is what is sent to a URL.
type Message struct {
	URL, ID, Body string
	Secret        []byte
}

// Refusal is an answer that says more than that it is to be tried again.
type Refusal struct {
	Err error
	// Final: the receiver wants nothing more of this.
	Final bool
	// After is when the receiver wants to be asked again at the earliest; zero: it
	// does not say.
	After time.Duration
}

// Error is that of Err.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap is Err.
func (r *Refusal) Unwrap() error { return r.Err }
