package input

// nearest is the field whose name is most like the given one, or "" when none is.
func nearest(name string) string {
	best, bestDistance := "", len(name)/3+1
	for i := range Fields {
		for _, n := range append([]string{Fields[i].Name}, Fields[i].Aliases...) {
			if d := distance(name, n); d <= bestDistance && (best == "" || d < bestDistance) {
				best, bestDistance = n, d
			}
		}
	}
	return best
}

// distance is how many letters must be changed, added or left out to get from a
// to b. Names longer than any field's are infinitely far from all of them.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
