"""A function action."""


def run(params, context):
    print("called")
    return {"text": f"hello {params['name']} {1.5:.2f}", "list": [1, 2.5, None, True]}
