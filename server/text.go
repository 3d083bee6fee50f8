package server

import (
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/job"
)

// text is s as messages can carry it: what is not UTF-8 is replaced.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func texts(list []string) []string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = text(s)
	}
	return all
}

// stamp is a time as a message; none is absent.
func stamp(t job.Time) *timestamppb.Timestamp { return api.FromTime(t.Std()) }
