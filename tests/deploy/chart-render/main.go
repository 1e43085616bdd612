// Renders a Helm chart where the program helm is not to be had: Go's own text/template with the functions of Sprig,
// which are the two that Helm renders with, and Helm's few functions beside them. It needs Debian's packages golang-go,
// golang-github-masterminds-sprig-dev and golang-github-ghodss-yaml-dev.
//
//	main CHART RELEASE NAMESPACE [VALUES-FILE]...
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"github.com/ghodss/yaml"
)

type values = map[string]interface{}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func read(file string) values {
	text, err := os.ReadFile(file)
	check(err)
	parsed := values{}
	check(yaml.Unmarshal(text, &parsed))
	return parsed
}

// As Helm: maps are merged, null takes a key away, anything else replaces what was there.
func merge(into, from values) values {
	for key, value := range from {
		below, isMap := value.(values)
		before, wasMap := into[key].(values)
		switch {
		case value == nil:
			delete(into, key)
		case isMap && wasMap:
			into[key] = merge(before, below)
		default:
			into[key] = value
		}
	}
	return into
}

func toYaml(value interface{}) string {
	text, err := yaml.Marshal(value)
	check(err)
	return strings.TrimSuffix(string(text), "\n")
}

func fromYaml(text string) values {
	parsed := values{}
	check(yaml.Unmarshal([]byte(text), &parsed))
	return parsed
}

func functions(all *template.Template) template.FuncMap {
	known := sprig.TxtFuncMap()
	delete(known, "env")
	delete(known, "expandenv")
	known["toYaml"] = toYaml
	known["fromYaml"] = fromYaml
	known["include"] = func(name string, data interface{}) (string, error) {
		var out strings.Builder
		err := all.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	known["required"] = func(warn string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return value, errors.New(warn)
		}
		return value, nil
	}
	return known
}

func main() {
	chart, release, namespace := os.Args[1], os.Args[2], os.Args[3]
	given := read(filepath.Join(chart, "values.yaml"))
	for _, file := range os.Args[4:] {
		given = merge(given, read(file))
	}
	about := read(filepath.Join(chart, "Chart.yaml"))
	data := values{
		"Values":  given,
		"Release": values{"Name": release, "Namespace": namespace, "Service": "Helm"},
		"Chart": values{
			"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"],
		},
	}
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all))
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	check(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(err)
		_, err = all.New(filepath.Base(file)).Parse(string(text))
		check(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "_") {
			continue
		}
		var out strings.Builder
		check(all.ExecuteTemplate(&out, name, data))
		text := strings.ReplaceAll(out.String(), "<no value>", "")
		if name != "NOTES.txt" && strings.TrimSpace(text) != "" {
			fmt.Printf("---\n# Source: %s\n%s\n", name, text)
		}
	}
}
