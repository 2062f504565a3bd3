"""The returned value is the result; what is printed is only its log."""


def run(params, context):
    print("log line")
    return {
        "sum": params["a"] + params["b"],
        "id": context["execution_id"],
        "name": "Zoë",
        "none": None,
    }


if __name__ == "__main__":
    print("not a script here")
